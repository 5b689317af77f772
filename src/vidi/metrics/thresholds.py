"""What the thresholds of independent classes do: figures only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import drawn_classes, names_of, rounded, sides, table
from vidi.metrics._arrays import thresholds as thresholds_in_use
from vidi.metrics._counts import confusions, precision_recall_f1
from vidi.ops.curves import f1_curve, thin

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = False
HIGHER_IS_BETTER: dict[str, bool] = {}


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """No numbers."""
    return {}


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """F1 over the threshold, of at most ten classes, and the table of the thresholds in use.

    The table's last columns have the best F1 that any threshold reaches on these very samples, and that threshold.
    """
    if truth.size == 0:
        return []
    names, used = names_of(space, truth.shape[1]), thresholds_in_use(settings, space, truth.shape[1])
    precision, recall, f1 = (
        part[0] for part in precision_recall_f1(confusions(truth, predicted, space, settings)(np.ones((1, len(truth)))))
    )
    present, known = sides(truth, space)
    curves = [
        f1_curve(predicted[known[:, c], c], present[known[:, c], c]) if present[:, c].any() else None for c in range(len(names))
    ]
    best = np.array([np.nan if curve is None else curve[1].max() for curve in curves])
    best_at = np.array([np.nan if curve is None else curve[0][curve[1].argmax()] for curve in curves])

    series = []
    for c in drawn_classes(np.where(np.isnan(best), np.nan, f1)):
        x, y = thin(*curves[c])
        series.append({"name": names[c], "x": x, "y": y})
    columns = ["class", "n", "threshold", "precision", "recall", "f1", "best f1", "at"]
    parts = [names, present.sum(0).tolist(), *(rounded(part) for part in (used, precision, recall, f1, best, best_at))]
    found = [table("Thresholds", columns, [list(row) for row in zip(*parts)], f1)]
    if series:
        title = "F1 over the threshold"
        if len(series) < len(names):
            title += f" ({len(series)} of {len(names)} classes, lowest F1)"
        axes = {"xlabel": "threshold", "ylabel": "F1"}
        found.insert(0, {"kind": "lines", "title": title, **axes, "series": series, "diagonal": False})
    return found

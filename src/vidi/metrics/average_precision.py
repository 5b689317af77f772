"""Mean average precision of classes: the area under precision over recall, without interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, drawn_classes, names_of, point, sides
from vidi.metrics._ranking import class_rankings, estimate_mean, pooled_ranking
from vidi.ops.curves import average_precision, precision_influence, precision_recall_curve, thin

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"map": True, "micro_map": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    macro = estimate_mean(class_rankings(truth, predicted, space), average_precision, precision_influence, len(truth))
    pooled = [pooled_ranking(truth, predicted, space)]
    micro = estimate_mean(pooled, average_precision, precision_influence, len(truth))
    return lambda weights: {"map": macro(weights), "micro_map": micro(weights)}


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``map``, a mean over the classes that occur, and ``micro_map`` over all entries at once, in 0..1.

    Args:
        truth: (N, C); NaN entries are left out.
        predicted: (N, C) probabilities; equal ones form one cut.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Precision over recall, of at most ten classes: those with the smallest area."""
    present, known = sides(truth, space)
    one, names = np.ones((1, len(truth))), names_of(space, truth.shape[1])
    areas = [average_precision(ranking, one)[0] for ranking in class_rankings(truth, predicted, space)]
    chosen = drawn_classes(np.array(areas))
    series = []
    for c in chosen:
        rows = known[:, c]
        precision, recall, _ = precision_recall_curve(predicted[rows, c], present[rows, c])
        x, y = thin(recall, precision)
        series.append({"name": f"{names[c]} ({areas[c]:.3f})", "x": x, "y": y})
    if not series:
        return []
    title = "Precision and recall"
    if len(chosen) < len(names):
        title += f" ({len(chosen)} of {len(names)} classes, smallest area)"
    return [{"kind": "lines", "title": title, "xlabel": "recall", "ylabel": "precision", "series": series, "diagonal": False}]

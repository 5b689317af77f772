"""Area under the ROC curve, one class against the rest: the chance that a present class scores above an absent one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, drawn_classes, names_of, point, sides
from vidi.metrics._ranking import class_rankings, estimate_mean
from vidi.ops.curves import area_under_roc, roc_curve, roc_influence, thin

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"roc_auc": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    estimate = estimate_mean(class_rankings(truth, predicted, space), area_under_roc, roc_influence, len(truth))
    return lambda weights: {"roc_auc": estimate(weights)}


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``roc_auc`` in 0..1, a mean over the classes with present and absent samples; None where no class has both.

    Args:
        truth: (N, C); NaN entries are left out.
        predicted: (N, C) probabilities; equal ones count one half.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ROC curves, of at most ten classes: those with the smallest area."""
    present, known = sides(truth, space)
    one, names = np.ones((1, len(truth))), names_of(space, truth.shape[1])
    areas = [area_under_roc(ranking, one)[0] for ranking in class_rankings(truth, predicted, space)]
    chosen = drawn_classes(np.array(areas))
    series = []
    for c in chosen:
        rows = known[:, c]
        false_rate, true_rate, _ = roc_curve(predicted[rows, c], present[rows, c])
        x, y = thin(false_rate, true_rate)
        series.append({"name": f"{names[c]} ({areas[c]:.3f})", "x": x, "y": y})
    if not series:
        return []
    title = "ROC" if len(chosen) == len(names) else f"ROC ({len(chosen)} of {len(names)} classes, smallest area)"
    axes = {"xlabel": "false positive rate", "ylabel": "true positive rate"}
    return [{"kind": "lines", "title": title, **axes, "series": series, "diagonal": True}]

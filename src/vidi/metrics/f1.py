"""Precision, recall and F1: by class, as means over classes, and pooled over classes.

In the multi-label literature ``micro_f1`` is OF1 ("overall"), and CF1 ("by class") is the harmonic mean of the mean
precision and the mean recall, given as ``cf1``; ``macro_f1`` is the mean of the classes' F1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, mean_defined, names_of, point, ratio, rounded, table, thresholds
from vidi.metrics._counts import confusions, precision_recall_f1

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"macro_f1": True, "macro_precision": True, "macro_recall": True, "micro_f1": True, "cf1": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    count = confusions(truth, predicted, space, settings)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        counts = hits, chosen, present = count(weights)
        precision, recall, f1 = (mean_defined(part) for part in precision_recall_f1(counts))
        results = {"macro_f1": f1, "macro_precision": precision, "macro_recall": recall}
        if not space.exclusive:
            results["micro_f1"] = ratio(2 * hits.sum(1), (chosen + present).sum(1))
            harmonic = np.where(precision + recall > 0, ratio(2 * precision * recall, precision + recall), 0.0)
            results["cf1"] = np.where(np.isnan(precision), np.nan, harmonic)
        return results

    return estimate


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``macro_f1 macro_precision macro_recall`` and, for classes that do not exclude each other, ``micro_f1 cf1``.

    Means run over the classes that occur in truth or prediction. A class in only one of them counts as 0.

    Args:
        truth: (N, C); NaN entries are left out.
        predicted: (N, C) probabilities; the top class, or those reaching ``settings["thresholds"]`` (0.5), are predicted.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table of classes: samples that have the class, precision, recall, F1 and, where there is one, the threshold."""
    if truth.size == 0:
        return []
    counts = confusions(truth, predicted, space, settings)(np.ones((1, len(truth))))
    precision, recall, f1 = (part[0] for part in precision_recall_f1(counts))
    columns = ["class", "n", "predicted", "precision", "recall", "f1"]
    parts = [names_of(space, truth.shape[1]), counts[2][0].astype(int).tolist(), counts[1][0].astype(int).tolist()]
    parts += [rounded(part) for part in (precision, recall, f1)]
    if not space.exclusive:
        columns.append("threshold")
        parts.append(rounded(thresholds(settings, space, truth.shape[1])))
    return [table("Classes", columns, [list(row) for row in zip(*parts)], f1)]

"""How well sets of classes are told: Hamming loss, subset accuracy and label ranking average precision.

Source of the last: Tsoumakas et al. 2010, Mining multi-label data (doi:10.1007/978-0-387-09823-4_34).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, decided, mean, point, ratio, row_blocks, sides

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = False
HIGHER_IS_BETTER = {"hamming_loss": False, "subset_accuracy": True, "lrap": True}


def _ranking_precision(present: np.ndarray, known: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Label ranking average precision of each sample, (N,), over its known classes; NaN where none is known.

    A sample with all or none of its classes present has nothing to rank and counts as 1.
    """
    count, classes = present.sum(1), known.sum(1)
    scores = np.where(known, predicted, -np.inf)
    order = np.argsort(-scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    found = np.take_along_axis(present, order, axis=1)
    position = np.arange(present.shape[1])
    last = np.concatenate([ordered[:, 1:] != ordered[:, :-1], np.ones((len(present), 1), bool)], axis=1)
    end = np.minimum.accumulate(np.where(last, position, present.shape[1] - 1)[:, ::-1], axis=1)[:, ::-1]
    above = np.take_along_axis(np.cumsum(found, axis=1), end, axis=1)
    precision = ratio((np.where(found, above / (end + 1), 0.0)).sum(1), count)
    return np.where(classes == 0, np.nan, np.where((count == 0) | (count == classes), 1.0, precision))


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    wrong, known_count, ranked = np.zeros(len(truth)), np.zeros(len(truth)), np.full(len(truth), np.nan)
    for rows in row_blocks(truth) if truth.size else ():
        present, known = sides(truth[rows], space)
        wrong[rows] = ((decided(predicted[rows], space, settings) != present) & known).sum(1)
        known_count[rows] = known.sum(1)
        ranked[rows] = _ranking_precision(present, known, predicted[rows])
    exact = np.where(known_count > 0, wrong == 0, np.nan)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        loss = ratio(weights @ wrong, weights @ known_count)
        return {"hamming_loss": loss, "subset_accuracy": mean(weights, exact), "lrap": mean(weights, ranked)}

    return estimate


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``hamming_loss`` (share of wrong entries), ``subset_accuracy`` (all known classes right) and ``lrap``, in 0..1.

    Args:
        truth: (N, C); NaN entries are left out.
        predicted: (N, C) probabilities; those reaching ``settings["thresholds"]`` (0.5) are predicted.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))

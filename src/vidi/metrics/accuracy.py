"""Share of samples whose most probable class is the true one, over all samples and as a mean over classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, class_indices, mean, mean_defined, point, ratio, top_class
from vidi.metrics._counts import class_sums

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = True
HIGHER_IS_BETTER = {"accuracy": True, "balanced_accuracy": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    index = class_indices(truth)
    right = np.where(index >= 0, index == top_class(predicted), np.nan)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits = class_sums(weights, np.where(right == 1, index, -1), truth.shape[1])
        recall = ratio(hits, class_sums(weights, index, truth.shape[1]))
        return {"accuracy": mean(weights, right), "balanced_accuracy": mean_defined(recall)}

    return estimate


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``accuracy`` and ``balanced_accuracy`` (mean recall over the classes that occur) in 0..1.

    Args:
        truth: (N, C), the most probable class counts; a row without a known class is left out.
        predicted: (N, C) probabilities; of equal ones the first class counts.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))

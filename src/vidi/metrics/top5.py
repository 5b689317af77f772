"""Share of samples whose true class is among the five most probable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, class_indices, mean, point

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = True
HIGHER_IS_BETTER = {"top5_accuracy": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    count = truth.shape[1]
    if count <= 5:
        return lambda weights: {"top5_accuracy": np.full(len(weights), np.nan)}
    index = class_indices(truth)
    own = np.take_along_axis(predicted, np.maximum(index, 0)[:, None], axis=1)
    earlier = np.arange(count) < index[:, None]
    ahead = ((predicted > own) | ((predicted == own) & earlier)).sum(1)
    right = np.where(index >= 0, ahead < 5, np.nan)
    return lambda weights: {"top5_accuracy": mean(weights, right)}


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``top5_accuracy`` in 0..1; None with five classes or fewer, where it would always be 1.

    Args:
        truth: (N, C), the most probable class counts; a row without a known class is left out.
        predicted: (N, C) probabilities; of equal ones the first classes count.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))

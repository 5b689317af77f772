"""Coefficient of determination: the share of the values' variance that the prediction accounts for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, mean, point, ratio
from vidi.metrics._columns import by_value, known_counts

FAMILIES = frozenset({"Regression"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"r2": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    values = truth.astype(np.float64)
    squared = (predicted - values) ** 2
    values = values - mean(np.ones((1, len(values))), values)  # centered, so that the variance below keeps its digits

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        moment = mean(weights, values**2)
        variance = moment - mean(weights, values) ** 2
        variance = np.where(variance > 1e-12 * moment, variance, 0.0)
        return by_value("r2", 1 - ratio(mean(weights, squared), variance), space)

    return estimate


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``r2`` (1 is perfect, 0 is as good as the mean, less is worse) and, for several values, ``r2_<value>``.

    ``r2`` is then their mean. A value that is the same in all samples has none.

    Args:
        truth: (N, D); NaN entries are left out.
        predicted: (N, D).
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    return known_counts("r2", truth, space)

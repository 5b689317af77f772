"""Root mean squared error, in the values' own unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, mean, point
from vidi.metrics._columns import by_value, known_counts

FAMILIES = frozenset({"Regression"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"rmse": False}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    error = predicted.astype(np.float64) - truth
    size = error**2
    return lambda weights: by_value("rmse", np.sqrt(mean(weights, size)), space)


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """The root of the mean of (predicted − true)² as ``rmse`` and, for several values, ``rmse_<value>``.

    ``rmse`` is then their mean.

    Args:
        truth: (N, D); NaN entries are left out.
        predicted: (N, D).
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    return known_counts("rmse", truth, space)

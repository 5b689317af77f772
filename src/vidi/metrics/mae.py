"""Mean absolute error, in the values' own unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, mean, point
from vidi.metrics._columns import by_value, known_counts

FAMILIES = frozenset({"Regression"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"mae": False}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    error = predicted.astype(np.float64) - truth
    size = np.abs(error)
    return lambda weights: by_value("mae", mean(weights, size), space)


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """The mean of |predicted − true| as ``mae`` and, for several values, ``mae_<value>``.

    ``mae`` is then their mean.

    Args:
        truth: (N, D); NaN entries are left out.
        predicted: (N, D).
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    return known_counts("mae", truth, space)

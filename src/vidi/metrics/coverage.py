"""Whether a predicted standard deviation can be believed: Gaussian likelihood and coverage of its intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Regression
from vidi.metrics._arrays import Estimator, point, ratio, rounded

FAMILIES = frozenset({"Regression"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"gaussian_nll": False, "coverage_error": False}
STACKED = False

LEVELS = np.arange(1, 10) / 10
_LEAST = 1e-9


def _deviations(truth: Sequence[Regression], predicted: Sequence[Regression]) -> tuple[np.ndarray, np.ndarray]:
    """Difference in standard deviations, and the log of the deviation, both (N, D), NaN where either is not known."""
    if not len(truth):
        return np.zeros((0, 0)), np.zeros((0, 0))
    values = Regression.stack(truth).astype(np.float64)
    unknown = np.full(values.shape[1], np.nan)
    std = np.stack([unknown if label.std is None else label.std for label in predicted]).astype(np.float64)
    std = np.maximum(std, _LEAST)
    difference = (Regression.stack(predicted) - values) / std
    return difference, np.where(np.isnan(difference), np.nan, np.log(std))


def estimator(
    truth: Sequence[Regression], predicted: Sequence[Regression], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    difference, log_std = _deviations(truth, predicted)
    known = (~np.isnan(difference)).sum(1).astype(np.float64)
    loss = np.nansum(difference**2 / 2 + log_std + 0.5 * math.log(2 * math.pi), axis=1)
    reach = np.array([NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS])
    inside = (np.abs(difference)[:, :, None] <= reach).sum(1).astype(np.float64)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights @ known
        gap = np.abs(ratio(weights @ inside, total[:, None]) - LEVELS).mean(1)
        return {"gaussian_nll": ratio(weights @ loss, total), "coverage_error": gap}

    return estimate


def numbers(
    truth: Sequence[Regression], predicted: Sequence[Regression], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``gaussian_nll`` (nats) and ``coverage_error``, means over known values; None where nothing has a deviation.

    ``coverage_error`` is the mean gap, over the central 10 %, 20 %, … 90 % intervals, between their nominal share and the
    share of true values inside (Kuleshov et al. 2018, arXiv:1807.00263), in 0..1.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(
    truth: Sequence[Regression], predicted: Sequence[Regression], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The share of true values inside the central intervals, over their nominal share."""
    difference, _ = _deviations(truth, predicted)
    size = np.abs(difference[~np.isnan(difference)])
    if not len(size):
        return []
    observed = [float((size <= NormalDist().inv_cdf((1 + level) / 2)).mean()) for level in LEVELS]
    series = [{"name": "observed", "x": rounded(LEVELS), "y": rounded(np.array(observed))}]
    axes = {"xlabel": "nominal share", "ylabel": "share of true values inside"}
    return [{"kind": "lines", "title": "Coverage of predicted intervals", **axes, "series": series, "diagonal": True}]

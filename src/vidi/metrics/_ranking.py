"""Areas under ranking curves as means over classes, with an estimator that stays fast on large problems."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import mean_defined, sides
from vidi.ops.curves import Ranking, rank

Area = Callable[[Ranking, np.ndarray], np.ndarray]
Influence = Callable[[Ranking], tuple[float, np.ndarray]]

EXACT_ENTRIES = 500_000
"""Up to this many entries (samples × classes) resamples are ranked exactly; beyond, areas are linearized in the weights."""


def class_rankings(truth: np.ndarray, predicted: np.ndarray, space: Space) -> list[Ranking]:
    """One class against the rest, for each class."""
    present, known = sides(truth, space)
    rankings = []
    for c in range(truth.shape[1]):
        rows = np.flatnonzero(known[:, c])
        rankings.append(rank(predicted[rows, c], present[rows, c], rows))
    return rankings


def pooled_ranking(truth: np.ndarray, predicted: np.ndarray, space: Space) -> Ranking:
    """All known (sample, class) entries in one ranking."""
    present, known = sides(truth, space)
    rows = np.broadcast_to(np.arange(len(truth))[:, None], truth.shape)
    return rank(predicted[known], present[known], rows[known])


def estimate_mean(rankings: list[Ranking], area: Area, influence: Influence, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from weights (R, N) of `count` samples to the mean area over the rankings where it is defined, (R,)."""
    if not rankings:
        return lambda weights: np.full(len(weights), np.nan)
    if sum(len(ranking.rows) for ranking in rankings) <= EXACT_ENTRIES:
        return lambda weights: mean_defined(np.stack([area(ranking, weights) for ranking in rankings], axis=1))
    values, slope = np.zeros(len(rankings)), np.zeros(count)
    for i, ranking in enumerate(rankings):
        values[i], slopes = influence(ranking)
        slope += np.bincount(ranking.rows, weights=slopes, minlength=count)
    defined = (~np.isnan(values)).sum()
    center = mean_defined(values)
    return lambda weights: center + (weights - 1) @ slope / max(1, defined)

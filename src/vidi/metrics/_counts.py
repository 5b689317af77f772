"""Weighted counts of right and wrong decisions by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import class_indices, decided, ratio, sides, top_class

Counts = tuple[np.ndarray, ...]


def class_sums(weights: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """The weight of each class, (R, N) weights → (R, count); samples of class −1 are left out."""
    known = np.flatnonzero(index >= 0)
    if len(known) < len(index):
        weights, index = weights[:, known], index[known]
    if not len(weights):
        return np.zeros((0, count))
    return np.stack([np.bincount(index, weights=row, minlength=count) for row in weights])


def confusions(
    truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]
) -> Callable[[np.ndarray], Counts]:
    """A function from weights (R, N) to true positives, predicted and present by class, each (R, C)."""
    count = truth.shape[1]
    if space.exclusive:
        index = class_indices(truth)
        guess = np.where(index >= 0, top_class(predicted), -1)
        hit = np.where(index == guess, index, -1)
        return lambda weights: tuple(class_sums(weights, which, count) for which in (hit, guess, index))
    present, known = sides(truth, space)
    chosen = decided(predicted, space, settings) & known
    parts = [flags.astype(np.float64) for flags in (present & chosen, chosen, present)]
    return lambda weights: tuple(weights @ part for part in parts)


def precision_recall_f1(counts: Counts) -> tuple[np.ndarray, ...]:
    """Precision, recall and F1 by class, 0 where only one of truth and prediction has the class, NaN where neither has."""
    hits, chosen, present = counts
    seen = (chosen + present) > 0
    parts = [np.where(lower > 0, ratio(hits, lower), 0.0) for lower in (chosen, present)]
    parts.append(ratio(2 * hits, chosen + present))
    return tuple(np.where(seen, part, np.nan) for part in parts)

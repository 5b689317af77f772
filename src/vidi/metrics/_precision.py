"""Average precision as COCO defines it, of many resamples at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

GRID = np.linspace(0.0, 1.0, 101)
"""The recalls at which COCO reads precision."""

_BLOCK = 4_000_000


def blocks(weights: np.ndarray, entries: int) -> Iterator[slice]:
    """Slices over the resamples of (R, N) weights that keep (entries, r) arrays small."""
    step = max(1, _BLOCK // max(1, entries))
    return (slice(start, start + step) for start in range(0, len(weights), step))


def interpolated(hits: np.ndarray, total: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Mean over 101 recalls of the best precision at that recall or beyond.

    Args:
        hits: (M, R) weight of the true positives down to each true positive, by falling score.
        total: (M, R) weight of all counted predictions down to each true positive.
        positives: (R,) weight of the things to find.

    Returns:
        (R,) in 0..1; NaN without things to find.
    """
    area = np.where(positives > 0, 0.0, np.nan)
    if len(hits):
        precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
        envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        reached = np.searchsorted(GRID, hits / np.where(positives > 0, positives, 1.0), side="right")
        area = area + np.einsum("mr,mr->r", envelope, np.diff(reached, axis=0, prepend=0)) / len(GRID)
    return area


def precision_at(hit: np.ndarray, positives: int) -> np.ndarray:
    """Interpolated precision at the recalls of `GRID`, (101,), for counted predictions (M,) by falling score."""
    place = np.flatnonzero(hit)
    found = np.arange(1, len(place) + 1)
    envelope = np.append(np.maximum.accumulate((found / (place + 1))[::-1])[::-1], 0.0)
    return envelope[np.searchsorted(found / max(1, positives), GRID, side="left")]


def weighted_precision(rows: np.ndarray, hit: np.ndarray, positives: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision of one ranking.

    Args:
        rows: (M,) the picture of each counted prediction, by falling score.
        hit: (M,) bool, the true positives.
        positives: (R,) weight of the things to find.
        weights: (R, N) weight of each picture.

    Returns:
        (R,), as `interpolated`.
    """
    place = np.flatnonzero(hit)
    if not len(place):
        return np.where(positives > 0, 0.0, np.nan)
    rows, found = rows[: place[-1] + 1], np.empty(len(weights))
    for part in blocks(weights, len(rows)):
        taken = np.take(np.ascontiguousarray(weights[part].T), rows, axis=0)
        total = np.cumsum(taken, axis=0)[place]
        found[part] = interpolated(np.cumsum(taken[place], axis=0), total, positives[part])
    return found

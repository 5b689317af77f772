"""Exact nearest neighbors by cosine, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_BLOCK = 16_000_000
"""Similarities held at once."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """(N, D) float32 vectors of length 1; zero vectors stay zero."""
    vectors = np.asarray(vectors, np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


@dataclass(frozen=True, slots=True)
class Search:
    """Who searches for whom.

    Args:
        vectors: (N, D), compared by angle.
        classes: (N,) int64; −1: not known, such samples neither search nor are found.
        query: (N,) bool: these search among the others; None: each sample searches among all others.
        cameras: (N,) any values; a sample of the query's class and camera is neither a hit nor a miss (the rule of Market-1501); None: no rule.
    """

    vectors: np.ndarray
    classes: np.ndarray
    query: np.ndarray | None = None
    cameras: np.ndarray | None = None

    @property
    def queries(self) -> np.ndarray:
        """Places of those who search."""
        known = self.classes >= 0
        return np.flatnonzero(known if self.query is None else known & self.query)

    @property
    def gallery(self) -> np.ndarray:
        """Places of those who are found."""
        known = self.classes >= 0
        return np.flatnonzero(known if self.query is None else known & ~self.query)

    @property
    def possible(self) -> bool:
        """Whether anything could be got wrong: the gallery holds two classes at least."""
        return len(np.unique(self.classes[self.gallery])) > 1

    def relevant(self) -> np.ndarray:
        """How many are there to be found by each of the `queries`, (Q,) int64."""
        places = (self.queries, self.gallery)
        known = tuple(self.classes[place] for place in places)
        found = _matches(*known) - (0 if self.query is not None else 1)
        if self.cameras is None:
            return found
        _, camera = np.unique(self.cameras, return_inverse=True)
        pairs = tuple(classes * (int(camera.max(initial=0)) + 1) + camera[place] for classes, place in zip(known, places))
        return _matches(*known) - _matches(*pairs)


def _matches(asked: np.ndarray, there: np.ndarray) -> np.ndarray:
    """How often each of `asked` is among `there`."""
    values, counts = np.unique(there, return_counts=True)
    place = np.searchsorted(values, asked).clip(max=max(0, len(values) - 1))
    return np.where(values[place] == asked, counts[place], 0) if len(values) else np.zeros(len(asked), np.int64)


def ranked(search: Search, least: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The nearest of each query, in blocks of q queries.

    Args:
        least: ranks that are asked for at least; as many as a query has relevant ones are given in any case.

    Yields:
        the queries' places (q,); how many relevant ones each has (q,); and (q, k) bool, whether the one of each rank is relevant, the
        nearest first. Of equally near ones those that are not relevant come first. Ranks beyond the gallery are not relevant.
    """
    queries, gallery = search.queries, search.gallery
    vectors, classes = unit(search.vectors), search.classes
    if not len(queries) or not len(gallery):
        yield queries, np.zeros(len(queries), np.int64), np.zeros((len(queries), least), bool)
        return
    pool = np.ascontiguousarray(vectors[gallery].T)
    rows = max(1, _BLOCK // len(gallery))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        near = vectors[block] @ pool
        same = classes[block][:, None] == classes[gallery]
        out = block[:, None] == gallery
        if search.cameras is not None:
            out |= same & (search.cameras[block][:, None] == search.cameras[gallery])
        same &= ~out
        near[out] = -np.inf
        relevant = same.sum(1)
        yield block, relevant, _top(near, same, max(least, int(relevant.max(initial=0))))


def _top(near: np.ndarray, same: np.ndarray, count: int) -> np.ndarray:
    """Whether the `count` nearest of each row are relevant, nearest first, (q, count) bool."""
    wide = min(count, near.shape[1])
    best = np.argpartition(-near, wide - 1, axis=1)[:, :wide] if wide < near.shape[1] else np.broadcast_to(np.arange(wide), near.shape)
    values, hits = np.take_along_axis(near, best, 1), np.take_along_axis(same, best, 1)
    order = np.lexsort((hits, -values), axis=1)
    return np.pad(np.take_along_axis(hits, order, 1), ((0, 0), (0, count - wide)))

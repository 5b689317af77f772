"""Near duplicates: pictures encoded again, resized or flipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidi.data._look import THUMB, Looks
from vidi.ops import hashing

EXHAUSTIVE = 200_000
"""Up to so many pictures each is compared with each; beyond, only those that share part of a hash."""

PARTNERS = 8
"""So many earlier partners are kept per picture, within its split and likewise outside it."""

CANDIDATE = 0.985
"""Least correlation of near duplicates, at 8×8 to be looked at and at 16×16 to be called so."""

RADIUS = 10
"""Most differing bits of 63, where the search is by hash."""


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs of rows, the earlier first.

    Args:
        first, second: (P,) int64.
        score: (P,) float32, correlation of the pictures, up to 1.
        flipped: (P,) bool, whether one is the other flipped left to right.
        exhaustive: whether each was compared with each.
    """

    first: np.ndarray
    second: np.ndarray
    score: np.ndarray
    flipped: np.ndarray
    exhaustive: bool = True

    def __len__(self) -> int:
        return len(self.first)


def find_near(looks: Looks, workers: int) -> Near:
    """All near pairs among the pictures that were read, but for those with the very same pixels, and blank ones."""
    rows = _representatives(looks)
    split = np.unique(looks.splits, return_inverse=True)[1][rows] if len(rows) else np.zeros(0, np.int64)
    exhaustive = len(rows) <= EXHAUSTIVE
    partners = np.zeros((len(rows), 2), np.int16)
    kept = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, bool))]
    for flipped, i, j in _proposals(looks, rows, exhaustive, workers):
        other = (split[i] != split[j]).astype(np.int64)
        few = _few_each(looks, rows, i, j, other, partners)
        i, j, other = i[few], j[few], other[few]
        same, score = _confirm(looks, rows[i], rows[j], flipped)
        np.add.at(partners, (j[same], other[same]), 1)
        kept.append((rows[i[same]], rows[j[same]], score[same], np.full(int(same.sum()), flipped)))
    first, second, score, mirror = (np.concatenate(part) for part in zip(*kept))
    _, unique = np.unique(second * len(looks.dataset) + first, return_index=True)
    return Near(first[unique], second[unique], score[unique], mirror[unique], exhaustive)


def _representatives(looks: Looks) -> np.ndarray:
    """Rows to compare: those with something on them, one of each group of the same pixels in the same split."""
    keep = looks.seen & (looks.spread >= 2)
    for group in looks.identical:
        met = set()
        for row in group:
            keep[row] &= looks.splits[row] not in met
            met.add(looks.splits[row])
    return np.flatnonzero(keep)


def _pooled(thumbs: np.ndarray) -> np.ndarray:
    """(B, 16, 16) → (B, 8, 8) float32."""
    return thumbs.reshape(-1, 8, THUMB // 8, 8, THUMB // 8).mean((2, 4), dtype=np.float32)


def _proposals(looks: Looks, rows: np.ndarray, exhaustive: bool, workers: int) -> Iterator[tuple[bool, np.ndarray, np.ndarray]]:
    """Pairs of places in `rows` worth a closer look, and whether as a flipped pair."""
    thumbs = looks.thumb[rows]
    if exhaustive:
        plain = hashing.standardized(_pooled(thumbs))
        mirror = np.ascontiguousarray(plain.reshape(-1, 8, 8)[:, :, ::-1]).reshape(plain.shape)
        for flipped, second in ((False, plain), (True, mirror)):
            for i, j in hashing.correlated_pairs(plain, second, CANDIDATE, workers=workers):
                yield flipped, i, j
    else:
        hashes = hashing.phash(thumbs)
        for flipped, second in ((False, hashes), (True, hashing.mirrored(hashes))):
            for i, j in hashing.banded_pairs(hashes, second, RADIUS):
                yield flipped, i, j


def _few_each(looks: Looks, rows: np.ndarray, i: np.ndarray, j: np.ndarray, other: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """Which of the proposed pairs to confirm: equal in color, not of the very same pixels, and few for each later picture (a
    film of a still scene would otherwise give billions)."""
    at = np.flatnonzero(partners[j, other] < PARTNERS)
    at = at[(np.abs(looks.color[rows[i[at]]] - looks.color[rows[j[at]]]) <= 12).all(1)]
    at = at[[looks.pixels[a] != looks.pixels[b] for a, b in zip(rows[i[at]], rows[j[at]])]] if len(at) < 1 << 20 else at
    order = np.lexsort((i[at], other[at], j[at]))
    at = at[order]
    key = j[at] * 2 + other[at]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, np.int64)
    rank = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
    return np.sort(at[rank < 4 * PARTNERS])


def _confirm(looks: Looks, a: np.ndarray, b: np.ndarray, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whether pairs of rows are alike in every part and in contrast, and their correlation; in portions that fit the memory."""
    same, score = np.zeros(len(a), bool), np.zeros(len(a), np.float32)
    for start in range(0, len(a), 1 << 14):
        part = slice(start, start + (1 << 14))
        same[part], score[part] = _alike(looks, a[part], b[part], flipped)
    return same, score


def _alike(looks: Looks, a: np.ndarray, b: np.ndarray, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and largest difference, in standard deviations, must both say yes: different digits correlate well, but
    differ much at some point. A resized copy is given more room; one of few pixels is compared at 8×8."""
    first, second = looks.thumb[a], looks.thumb[b]
    second = second[:, :, ::-1] if flipped else second
    spreads = first.std((1, 2)), second.std((1, 2))
    contrast = np.abs(spreads[0] - spreads[1]) <= 0.15 * np.maximum(*spreads) + 1
    scores, gaps = [], []
    for shape in (np.asarray, _pooled):
        x, y = hashing.standardized(shape(first)), hashing.standardized(shape(second))
        scores.append((x * y).mean(1))
        gaps.append(np.abs(x - y).max(1))
    resized = (looks.size[a] != looks.size[b]).any(1)
    coarse = resized & (np.minimum(looks.size[a], looks.size[b]).min(1) < 2 * THUMB)
    score, gap = np.where(coarse, scores[1], scores[0]), np.where(coarse, gaps[1], gaps[0])
    return contrast & (score >= CANDIDATE) & (gap <= np.where(resized & ~coarse, 0.75, 0.5)), score.astype(np.float32)

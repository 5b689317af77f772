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
"""Least correlation at 8×8 of pictures worth a closer look."""

RADIUS = 10
"""Most differing bits of 63, where the search is by hash."""

SAME = 0.0005
"""Pictures whose correlation is within this of 1 are near duplicates in any data set."""

NEARER = 0.08, 0.15
"""Others must be nearer to each other, in one minus correlation, than this share of the distance to their tenth neighbor
among `REFERENCES` others: so handwritten digits or mug shots, all alike, do not count as copies. The second holds for pictures
of different size."""

REFERENCES = 2000
GAP = 0.75
"""Largest difference anywhere in the small pictures, in standard deviations."""


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
    judge, partners = _Judge(looks, rows), np.zeros((len(rows), 2), np.int16)
    kept = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, bool))]
    for flipped, i, j in _proposals(looks, rows, exhaustive, workers):
        other = (split[i] != split[j]).astype(np.int64)
        few = np.flatnonzero(partners[j, other] < PARTNERS)
        few = few[judge.possible(rows[i[few]], rows[j[few]])]
        few = few[_rank(i[few], j[few], other[few]) < 4 * PARTNERS]
        same, score = judge.alike(rows[i[few]], rows[j[few]], flipped)
        few, score = few[same], score[same]
        fresh = _rank(i[few], j[few], other[few]) < PARTNERS
        i, j, other, score = i[few][fresh], j[few][fresh], other[few][fresh], score[fresh]
        np.add.at(partners, (j, other), 1)
        kept.append((rows[i], rows[j], score, np.full(len(i), flipped)))
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


def _rank(i: np.ndarray, j: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Place of each pair among those of the same later picture and kind, by the earlier one. A film of a still scene would give
    billions of pairs; a few each are enough."""
    order = np.lexsort((i, other, j))
    key = j[order] * 2 + other[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, np.int64)
    rank = np.zeros(len(key), np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
    return rank


class _Judge:
    """Decides whether two pictures are copies, by their thumbs and by how alike pictures of this data set are anyway."""

    def __init__(self, looks: Looks, rows: np.ndarray):
        self.looks = looks
        self.references = rows[np.linspace(0, len(rows) - 1, min(len(rows), REFERENCES)).astype(np.int64)]
        self.others = hashing.standardized(looks.thumb[self.references])
        self.contrast = looks.thumb.reshape(len(looks.dataset), THUMB**2).std(1, dtype=np.float32)
        self.twins = np.arange(len(looks.dataset))
        for group in looks.identical:
            self.twins[group] = group[0]
        self.ground = np.full(len(looks.dataset), np.nan, np.float32)

    def possible(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Whether pairs of rows are alike in mean color and in contrast, and not of the very same pixels."""
        first, second = self.contrast[a], self.contrast[b]
        alike = (np.abs(first - second) <= 0.15 * np.maximum(first, second) + 1) & (self.twins[a] != self.twins[b])
        at = np.flatnonzero(alike)
        alike[at] = (np.abs(self.looks.color[a[at]] - self.looks.color[b[at]]) <= 12).all(1)
        return alike

    def alike(self, a: np.ndarray, b: np.ndarray, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
        """Whether pairs of rows are copies, and their correlation; in portions that fit the memory."""
        same, score = np.zeros(len(a), bool), np.zeros(len(a), np.float32)
        for start in range(0, len(a), 1 << 14):
            part = slice(start, start + (1 << 14))
            same[part], score[part] = self._alike(a[part], b[part], flipped)
        return same, score

    def _alike(self, a: np.ndarray, b: np.ndarray, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
        thumb, size = self.looks.thumb, self.looks.size
        resized = (size[a] != size[b]).any(1)
        coarse = resized & (np.minimum(size[a], size[b]).min(1) < 2 * THUMB)  # too few pixels for a comparison at 16×16
        score, gap = np.zeros(len(a), np.float32), np.zeros(len(a), np.float32)
        for part, shape in ((~coarse, np.asarray), (coarse, _pooled)):
            first, second = shape(thumb[a[part]]), shape(thumb[b[part]])
            x, y = hashing.standardized(first), hashing.standardized(second[:, :, ::-1] if flipped else second)
            score[part] = np.einsum("ij,ij->i", x, y) / max(1, x.shape[1])
            gap[part] = np.abs(x - y).max(1, initial=0)
        same = (gap <= GAP) & (score >= CANDIDATE)
        at = np.flatnonzero(same & (score < 1 - SAME))
        ground = np.minimum(self._ground(a[at]), self._ground(b[at]))
        same[at] = 1 - score[at] <= ground * np.where(resized[at], NEARER[1], NEARER[0])
        return same, score

    def _ground(self, rows: np.ndarray) -> np.ndarray:
        """Distance of each picture to its tenth neighbor among the references; a guess where there are too few of them."""
        if len(self.references) < 20:
            return np.full(len(rows), 0.1, np.float32)
        for start in range(0, len(new := np.unique(rows[np.isnan(self.ground[rows])])), 2048):
            part = new[start : start + 2048]
            distance = 1 - hashing.standardized(self.looks.thumb[part]) @ self.others.T / THUMB**2
            distance[part[:, None] == self.references] = 2
            self.ground[part] = np.partition(distance, 9, axis=1)[:, 9]
        return self.ground[rows]

"""Closed rings of points (K, 2), x and y in pixels: filling, area and cutting, in numpy. Inside is what the even-odd rule calls so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidi.ops.cutouts import NOTHING, Cutout

_FINE = 5
"""COCO's rasterizer works on a grid this much finer than the pixels."""

_CHUNK = 1 << 20
"""Pairs of edges that are compared at once."""


def fill_ring(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels of (height, width) whose centers a ring encloses by the even-odd rule: (H, W) bool.

    Pixel for pixel what COCO's reference program gives: corners are rounded to a fifth of a pixel, and a column is filled between the
    places where the outline crosses its center line. Memory does not depend on how far the ring reaches beyond the picture.

    Raises:
        ValueError: a coordinate is not finite.
    """
    return cut_ring(ring, size).mask(size)


def cut_ring(ring: np.ndarray, size: tuple[int, int]) -> Cutout:
    """The same, without the empty picture around it."""
    height, width = size
    if not np.isfinite(ring).all():
        raise ValueError("ring: a coordinate is not finite")
    if len(ring) == 0 or height == 0 or width == 0:
        return NOTHING
    column, top = _crossings(np.trunc(_FINE * np.asarray(ring, np.float64) + 0.5), width)
    if len(column) == 0:
        return NOTHING
    row = np.ceil(np.clip((top + 0.5) / _FINE - 0.5, 0, height)).astype(np.int64)
    left, right, up, down = int(column.min()), int(column.max()) + 1, int(row.min()), int(row.max())
    toggles = np.zeros((right - left, down - up + 1), np.uint8)
    np.bitwise_xor.at(toggles, (column - left, row - up), 1)
    return Cutout(left, up, np.bitwise_xor.accumulate(toggles[:, :-1], axis=1).T.astype(bool))


def _crossings(points: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of pixels whose center line an edge of a ring on the fine grid crosses, and the fine row of each crossing."""
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
    wide, tall = np.abs(x1 - x0), np.abs(y1 - y0)
    flat = wide >= tall
    turned = np.where(flat, x0 > x1, y0 > y1)
    x0, x1 = np.where(turned, x1, x0), np.where(turned, x0, x1)
    y0, y1 = np.where(turned, y1, y0), np.where(turned, y0, y1)
    middle = _FINE // 2
    first = np.maximum(0, np.ceil((np.minimum(x0, x1) - middle) / _FINE))
    last = np.minimum(width - 1, np.floor((np.maximum(x0, x1) - middle - 1) / _FINE))
    counts = np.maximum(last - first + 1, 0).astype(np.int64)
    edge = np.repeat(np.arange(len(points)), counts)
    column = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    left = _FINE * column + middle  # the crossing lies between the fine columns `left` and `left` + 1
    top = np.empty(len(edge))
    own = flat[edge]
    part = edge[own]
    slope = (y1 - y0)[part] / wide[part]
    before, after = (np.trunc(y0[part] + slope * (left[own] + step - x0[part]) + 0.5) for step in (0, 1))
    top[own] = np.minimum(before, after)
    part = edge[~own]
    slope = (x1 - x0)[part] / tall[part]
    top[~own] = y0[part] + _first_step(x0[part], slope, left[~own], tall[part]) - 1
    return column.astype(np.int64), top


def _first_step(x0: np.ndarray, slope: np.ndarray, left: np.ndarray, tall: np.ndarray) -> np.ndarray:
    """The first step down an edge, by rows, at which its rounded column has passed from one side of the line to the other."""

    def passed(step: np.ndarray) -> np.ndarray:
        column = np.trunc(x0 + slope * step + 0.5)
        return np.where(slope > 0, column > left, column <= left)

    step = np.clip(np.ceil((left + 0.5 - x0) / slope), 1, tall)
    for _ in range(3):
        step = np.where((step > 1) & passed(step - 1), step - 1, step)
    for _ in range(3):
        step = np.where(~passed(step) & (step < tall), step + 1, step)
    return step


def covered_area(rings: Sequence[np.ndarray]) -> float:
    """The area in square pixels that lies inside of at least one ring, each ring by the even-odd rule.

    Where edges cross, the plane is cut into strips at every corner and crossing; within a strip the covered length changes linearly, so
    its middle tells.
    """
    edges = [np.stack([ring, np.roll(ring, -1, axis=0)], 1) for ring in rings if len(ring) >= 3]
    if not edges:
        return 0.0
    owner = np.repeat(np.arange(len(edges)), [len(part) for part in edges])
    every = np.concatenate(edges).astype(np.float64)  # (E, 2, 2)
    crossings = _crossing_rows(every)
    if len(edges) == 1 and len(crossings) == 0 and len(np.unique(every[:, 0] @ [1, 1j])) == len(every):
        (x0, y0), (x1, y1) = every[:, 0].T, every[:, 1].T
        return abs(float(((x0 - x0[0]) * (y1 - y0[0]) - (x1 - x0[0]) * (y0 - y0[0])).sum())) / 2
    cuts = np.unique(np.concatenate([every[:, 0, 1], crossings]))
    middles, heights = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    low, high = every[:, :, 1].min(1), every[:, :, 1].max(1)
    total = 0.0
    for middle, height in zip(middles, heights):
        active = np.flatnonzero((low <= middle) & (middle < high))
        (x0, y0), (x1, y1) = every[active, 0].T, every[active, 1].T
        total += height * _covered(x0 + (middle - y0) * (x1 - x0) / (y1 - y0), owner[active])
    return float(total)


def _covered(x: np.ndarray, owner: np.ndarray) -> float:
    """Length of the union of the rings' insides along a line, from the places where they cross it."""
    order = np.lexsort((x, owner))
    spans = x[order].reshape(-1, 2)  # a closed ring crosses a line an even number of times
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    before = np.concatenate([[-np.inf], reach[:-1]])
    return float(np.maximum(spans[:, 1] - np.maximum(spans[:, 0], before), 0).sum())


def _crossing_rows(edges: np.ndarray) -> np.ndarray:
    """The y at which edges (E, 2, 2) cross each other."""
    found = [np.zeros(0)]
    step = max(1, _CHUNK // max(1, len(edges)))
    start, along = edges[:, 0], edges[:, 1] - edges[:, 0]
    (left, top), (right, bottom) = edges.min(1).T, edges.max(1).T
    for first in range(0, len(edges), step):
        part = slice(first, first + step)
        near = (left[part, None] < right) & (left < right[part, None]) & (top[part, None] < bottom) & (top < bottom[part, None])
        i, j = np.nonzero(np.triu(near, first + 1))
        i += first
        gap = start[j] - start[i]
        cross = along[i, 0] * along[j, 1] - along[i, 1] * along[j, 0]
        safe = np.where(cross == 0, 1, cross)
        s = (gap[:, 0] * along[j, 1] - gap[:, 1] * along[j, 0]) / safe
        t = (gap[:, 0] * along[i, 1] - gap[:, 1] * along[i, 0]) / safe
        hit = (cross != 0) & (s > 0) & (s < 1) & (t > 0) & (t < 1)
        found.append(start[i[hit], 1] + s[hit] * along[i[hit], 1])
    return np.concatenate(found)


def crosses_itself(ring: np.ndarray) -> bool:
    """Whether two edges of a ring cross, as in a bow-tie; edges that only touch do not."""
    ring = np.asarray(ring, np.float64)
    return len(ring) > 3 and len(_crossing_rows(np.stack([ring, np.roll(ring, -1, axis=0)], 1))) > 0


def warp_ring(ring: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A ring after a 3×3 matrix (old x, y → new x, y); what lies behind the horizon is cut off."""
    matrix = np.asarray(matrix, np.float64)
    points = np.concatenate([ring, np.ones((len(ring), 1))], 1) @ matrix.T
    points = _cut(points, points[:, 2] - 1e-6)
    return points[:, :2] / points[:, 2:]


def clip_ring(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A ring cut to a picture of (height, width) (Sutherland and Hodgman 1974); untouched where it lies inside, (0, 2) where outside."""
    height, width = size
    for axis, side, limit in ((0, 1, 0), (0, -1, width), (1, 1, 0), (1, -1, height)):
        ring = _cut(ring, side * (ring[:, axis] - limit))
    return ring


def _cut(points: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The part of a ring (K, D) where a linear function, given at its corners, is not negative."""
    kept = inside >= 0
    if kept.all() or not kept.any():
        return points if kept.all() else points[:0]
    following, next_inside = np.roll(points, -1, axis=0), np.roll(inside, -1)
    change = kept != np.roll(kept, -1)
    share = np.where(change, inside / np.where(change, inside - next_inside, 1), 0)[:, None]
    both = np.stack([points, points + share * (following - points)], 1).reshape(-1, points.shape[1])
    return both[np.stack([kept, change], 1).ravel()]

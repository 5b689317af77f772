"""Outlines of masks as closed rings along the sides of their pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_STEPS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
"""Right, down, left, up in x and y; walking so, a mask's pixels are on the right hand."""


def rings_of(mask: np.ndarray, tolerance: float = 0.0) -> list[np.ndarray]:
    """One ring (K, 2) float64 of x and y for each connected part of a mask (H, W), pixels that share a side being connected.

    A hole is walked around in the other direction, on a detour there and back from the ring's first point, so that the even-odd rule
    leaves it out. Filled by `vidi.ops.polygons.fill_ring`, the rings give the mask exactly.

    Args:
        tolerance: pixels by which a simplified ring may lie beside the exact one (Douglas and Peucker 1973); 0: exact.
    """
    mask = np.asarray(mask, bool)
    if not mask.any():
        return []
    parts, count = ndimage.label(mask)
    start, direction, owner = _sides(mask, parts)
    following = _following(start, direction, mask.shape)
    outer: list[np.ndarray] = [np.zeros((0, 2))] * count
    holes: list[list[np.ndarray]] = [[] for _ in range(count)]
    for loop in _loops(following):
        corners = loop[direction[loop] != direction[np.roll(loop, 1)]]
        ring = start[corners].astype(np.float64)
        (x, y), (x2, y2) = ring.T, np.roll(ring, -1, axis=0).T
        part = int(owner[loop[0]])
        ring = simplified(ring, tolerance) if tolerance > 0 else ring
        if (x * y2 - x2 * y).sum() > 0:
            outer[part] = ring
        elif len(ring) > 2:
            holes[part].append(ring)
    return [_bridged(ring, inner) for ring, inner in zip(outer, holes)]


def _sides(mask: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sides of pixels to what is not the mask: where each starts (S, 2), its direction (S,) in `_STEPS`, and its part (S,)."""
    padded = np.pad(mask, 1)
    around = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])  # above, right, below, left
    starts, directions, owners = [], [], []
    for k, (neighbor, corner) in enumerate(zip(around, ((0, 0), (1, 0), (1, 1), (0, 1)))):
        row, column = np.nonzero(mask & ~neighbor)
        starts.append(np.stack([column + corner[0], row + corner[1]], 1))
        directions.append(np.full(len(row), k))
        owners.append(parts[row, column] - 1)
    return np.concatenate(starts), np.concatenate(directions), np.concatenate(owners)


def _following(start: np.ndarray, direction: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The side that follows each one, (S,); where two go on, the one of the same pixel."""
    wide = size[1] + 1
    leaving = np.full((wide * (size[0] + 1), 4), -1)
    leaving[start[:, 1] * wide + start[:, 0], direction] = np.arange(len(start))
    end = start + _STEPS[direction]
    place = end[:, 1] * wide + end[:, 0]
    right, ahead, left = (leaving[place, (direction + turn) % 4] for turn in (1, 0, 3))
    return np.where(right >= 0, right, np.where(ahead >= 0, ahead, left))


def _loops(following: np.ndarray) -> list[np.ndarray]:
    """The closed walks, each as the sides in their order."""
    after, seen, found = following.tolist(), bytearray(len(following)), []
    for first in range(len(after)):
        loop, side = [], first
        while not seen[side]:
            seen[side] = 1
            loop.append(side)
            side = after[side]
        if loop:
            found.append(np.array(loop))
    return found


def _bridged(outer: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    if not holes:
        return outer
    return np.concatenate([outer, *(np.concatenate([outer[:1], hole, hole[:1]]) for hole in holes)])


def simplified(ring: np.ndarray, tolerance: float) -> np.ndarray:
    """A ring without the points that lie within a tolerance of the line between those that stay; at least three stay."""
    far = int(((ring - ring[0]) ** 2).sum(1).argmax())
    line = np.concatenate([ring, ring[:1]])
    kept = np.zeros(len(line), bool)
    kept[[0, far, -1]] = True
    waiting = [(0, far), (far, len(line) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        distance = _from_line(line[first + 1 : last], line[first], line[last])
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    if kept[:-1].sum() < 3 and len(ring) > 2:
        kept[int(_from_line(ring, ring[0], ring[far]).argmax())] = True
    return ring[kept[:-1]]


def _from_line(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How far points (K, 2) lie from the segment between two: (K,)."""
    along = end - start
    length = float((along**2).sum())
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    return np.sqrt(((points - start - share[:, None] * along) ** 2).sum(1))

"""Borders of the classes of a map, and how far points lie from them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

_CROWDED = 20
"""From one point in so many pixels on, a distance transform is faster than a tree."""


def surface(classes: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels with a side to another value or to the picture's frame, of a map (H, W).

    Where the map has one value, they are those that an erosion of that value's mask with a cross takes away.
    """
    found = np.zeros(classes.shape, bool)
    for edge in (found[:1], found[-1:], found[:, :1], found[:, -1:]):
        edge[:] = True
    return found | _beside(classes[1:] != classes[:-1], classes[:, 1:] != classes[:, :-1], classes.shape)


def inner_border(classes: np.ndarray, unknown: int = -1) -> np.ndarray:
    """(H, W) bool: pixels with a side to a pixel of another class, of a map (H, W); frame and unknown pixels make no border."""
    known = classes != unknown
    down = (classes[1:] != classes[:-1]) & known[1:] & known[:-1]
    right = (classes[:, 1:] != classes[:, :-1]) & known[:, 1:] & known[:, :-1]
    return _beside(down, right, classes.shape)


def _beside(down: np.ndarray, right: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels on both sides of the steps between rows (H − 1, W) and columns (H, W − 1)."""
    found = np.zeros(shape, bool)
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return found


def distances(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """From each of K pixels to the nearest of M ≥ 1 target pixels: (K,) float64 in pixels, exact.

    Args:
        points, targets: (K, 2) and (M, 2) int64 row and column.
    """
    if not len(points):
        return np.zeros(0)
    low = np.minimum(points.min(0), targets.min(0))
    size = np.maximum(points.max(0), targets.max(0)) - low + 1
    if size.prod() > _CROWDED * max(len(points), len(targets)):
        return cKDTree(targets, compact_nodes=False, balanced_tree=False).query(points)[0]
    free = np.ones(size, bool)
    free[tuple((targets - low).T)] = False
    return distance_transform_edt(free)[tuple((points - low).T)]

"""How far boxes (x1, y1, x2, y2 in pixels) lie on each other and how much of each is covered, in numpy."""

from __future__ import annotations

import numpy as np

from vidi.ops.boxes import area


def shared_area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area that each box of (N, 4) shares with each of (M, 4): (N, M) float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    return np.maximum(width, 0) * np.maximum(height, 0)


def overlap_matrix(boxes: np.ndarray, others: np.ndarray, regions: np.ndarray | None = None) -> np.ndarray:
    """Intersection over union of (N, 4) boxes with (M, 4) others: (N, M) float64, 0 where the union is empty.

    Args:
        boxes, others: the boxes.
        regions: (M,) bool: others that are regions; there it is the share of the box that lies in the region.
    """
    shared, own = shared_area(boxes, others), area(boxes)[:, None]
    whole = own + area(others)[None] - shared
    if regions is not None:
        whole = np.where(regions[None], own, whole)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)


def covered_share(boxes: np.ndarray, covers: np.ndarray | None = None) -> np.ndarray:
    """The share of each box that the union of the others covers: (N,) float64 in 0..1, 0 for a box without area.

    Args:
        boxes: (N, 4).
        covers: (N,) bool: which boxes cover others; all when None.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    touching = shared_area(boxes, boxes) > 0
    np.fill_diagonal(touching, False)
    if covers is not None:
        touching &= np.asarray(covers, bool)[None]
    share, own = np.zeros(len(boxes)), area(boxes)
    for i in np.flatnonzero(touching.any(1)):
        share[i] = min(1.0, _union(boxes[touching[i]], boxes[i]) / own[i])
    return share


def _union(boxes: np.ndarray, frame: np.ndarray) -> float:
    """The area that boxes cover together inside a frame (4,)."""
    cut = np.concatenate([np.maximum(boxes[:, :2], frame[:2]), np.minimum(boxes[:, 2:], frame[2:])], axis=1)
    xs, ys = np.unique(cut[:, [0, 2]]), np.unique(cut[:, [1, 3]])
    across = (cut[:, :1] <= xs[None, :-1]) & (xs[None, 1:] <= cut[:, 2:3])  # (K, columns)
    down = (cut[:, 1:2] <= ys[None, :-1]) & (ys[None, 1:] <= cut[:, 3:])
    filled = across.T.astype(np.float32) @ down.astype(np.float32) > 0
    return float(np.diff(xs) @ filled @ np.diff(ys))

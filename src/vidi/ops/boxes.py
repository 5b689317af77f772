"""Boxes as (N, 4) arrays of x1, y1, x2, y2 in pixels, in numpy: areas, overlaps, motion, fusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_HORIZON = 1e-6


def area(boxes: np.ndarray) -> np.ndarray:
    """(N,) float64; boxes with a negative side have area 0."""
    sides = np.maximum(np.asarray(boxes, np.float64)[:, 2:] - np.asarray(boxes, np.float64)[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of (N, 4) with every box of (M, 4): (N, M) float64, 0 where the union is empty."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(2)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def corners(boxes: np.ndarray) -> np.ndarray:
    """The four corners around each box, (N, 4, 2) float64."""
    boxes = np.asarray(boxes, np.float64)
    return boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


def warp_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The upright boxes around the moved corners, (N, 4) float64.

    Under a perspective matrix, what lies behind the horizon is cut off first, so a box that crosses it becomes very large
    (clip it next) and a box wholly behind it becomes (0, 0, 0, 0).
    """
    points = corners(boxes)
    if len(points) == 0:
        return np.zeros((0, 4))
    homogeneous = np.concatenate([points, np.ones_like(points[:, :, :1])], 2) @ np.asarray(matrix, np.float64).T
    following = np.roll(homogeneous, -1, axis=1)
    depth, other = homogeneous[:, :, 2:], following[:, :, 2:]
    crossing = (depth > _HORIZON) != (other > _HORIZON)
    share = np.where(crossing, (_HORIZON - depth) / np.where(crossing, other - depth, 1), 0)
    candidates = np.concatenate([homogeneous, homogeneous + share * (following - homogeneous)], 1)  # (N, 8, 3)
    candidates[:, 4:, 2:] = np.where(crossing, _HORIZON, 0)
    valid: np.ndarray = np.asarray(candidates[:, :, 2] >= _HORIZON)
    flat = candidates[:, :, :2] / np.where(valid, candidates[:, :, 2], 1)[:, :, None]
    seen = valid[..., np.newaxis]
    low = np.where(seen, flat, np.inf).min(1)
    high = np.where(seen, flat, -np.inf).max(1)
    return np.where(seen.any(1), np.concatenate([low, high], 1), 0.0)


def clip_boxes(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut to a picture of (height, width); those outside become empty."""
    height, width = size
    return np.clip(boxes, 0, [width, height, width, height])


def greedy_pairs(overlap: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column) with positive overlap, each row and column at most once, largest overlaps first."""
    rows, columns = np.nonzero(overlap > 0)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    used_rows, used_columns, pairs = set(), set(), []
    for row, column in zip(rows[order].tolist(), columns[order].tolist()):
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
            pairs.append((row, column))
    return pairs


def fuse_boxes(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    weights: Sequence[float] | np.ndarray,
    sources: np.ndarray,
    iou: float = 0.55,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Weighted boxes fusion (Solovyev, Wang and Gabruseva, Image and Vision Computing 2021).

    Boxes of one class, taken by falling weighted score, join the fused box they overlap best (by more than `iou`) or open
    a new one; a fused box is the mean of its members weighted by score. Its score is the mean weighted score, scaled
    down when fewer boxes than sources agree.

    Args:
        boxes: (N, 4), of all sources together.
        scores: (N,) in 0..1.
        classes: (N,) int.
        weights: (S,) weight of each source, of any scale.
        sources: (N,) int in 0..S−1, where each box came from.
        iou: smallest overlap (not reached by equality) that joins.

    Returns:
        fused boxes (M, 4) float64, scores (M,), classes (M,) by falling score, and the indices of each one's members.
    """
    weights = np.asarray(weights, np.float64)
    weighted = np.asarray(scores, np.float64) * weights[sources] * (len(weights) / weights.sum())
    boxes, classes = np.asarray(boxes, np.float64), np.asarray(classes, np.int64)
    turn = np.argsort(-weighted, kind="stable")
    found: list[tuple[int, int, np.ndarray, np.ndarray]] = []  # the first member's turn, class, box, members
    for c in np.unique(classes).tolist():
        places = np.flatnonzero(classes[turn] == c)
        owner, fused = _join(boxes[turn[places]], weighted[turn[places]], iou)
        order = np.argsort(owner, kind="stable")
        groups = np.split(places[order], np.cumsum(np.bincount(owner))[:-1])
        found += [(int(group[0]), c, box, turn[group]) for group, box in zip(groups, fused)]
    found.sort(key=lambda one: one[0])
    count = len(weights)
    confidence = np.array([weighted[group].mean() * min(len(group), count) / count for *_, group in found])
    ranked = [found[i] for i in np.argsort(-confidence, kind="stable")]
    fused = np.array([box for _, _, box, _ in ranked]).reshape(-1, 4)
    return fused, -np.sort(-confidence), np.array([c for _, c, _, _ in ranked], np.int64), [group for *_, group in ranked]


def _join(boxes: np.ndarray, weights: np.ndarray, iou: float) -> tuple[np.ndarray, np.ndarray]:
    """The fused box that each of (N, 4) boxes, in their order, joins: its number (N,), and the fused boxes (K, 4)."""
    share = np.maximum(weights, 1e-12)
    sums, totals = np.zeros((len(boxes), 4)), np.zeros(len(boxes))
    fused, owner, count = np.zeros((len(boxes), 4)), np.zeros(len(boxes), np.int64), 0
    sizes, own = np.zeros(len(boxes)), area(boxes)
    for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        place = count
        if count:
            known = fused[:count]
            wide = np.minimum(known[:, 2], x2) - np.maximum(known[:, 0], x1)
            tall = np.minimum(known[:, 3], y2) - np.maximum(known[:, 1], y1)
            shared = np.maximum(wide, 0) * np.maximum(tall, 0)
            union = sizes[:count] + own[i] - shared
            overlap = shared / np.where(union > 0, union, 1)
            best = int(overlap.argmax())
            place = best if overlap[best] > iou else count
        count += place == count
        owner[i] = place
        sums[place] += boxes[i] * share[i]
        totals[place] += share[i]
        fused[place] = sums[place] / totals[place]
        sizes[place] = max(fused[place, 2] - fused[place, 0], 0) * max(fused[place, 3] - fused[place, 1], 0)
    return owner, fused[:count]

"""Pairs of boxes that nearly coincide, found without comparing every box with every other."""

from __future__ import annotations

import numpy as np

from vidi.ops.boxes import area

_CHUNK = 1 << 20
"""Pairs that are compared at once."""


def near_boxes(boxes: np.ndarray, groups: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of boxes of one group whose intersection over union is at least `least`.

    Two such boxes begin within (1 - least) widths of each other, so each box is compared only with the next few by their left sides, or
    by their top sides where that is less work.

    Args:
        boxes: (N, 4), finite, x1, y1, x2, y2; boxes without area have no partner.
        groups: (N,) int; boxes of different groups (pictures) are not compared.
        least: in 0..1, above 0.

    Returns:
        first, second (P,) int64 with first < second, by second and then first, and their overlap (P,) float64.
    """
    boxes, groups = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(groups)
    solid = np.flatnonzero(area(boxes) > 0)
    groups = np.unique(groups[solid], return_inverse=True)[1]
    order, counts = _candidates(boxes[solid], groups, least)
    sorted_boxes, sizes, order = boxes[solid[order]], area(boxes[solid[order]]), solid[order]
    ends = np.cumsum(counts)
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    start = 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _CHUNK, "right")))
        first = np.repeat(np.arange(start, stop), counts[start:stop])
        before = np.repeat(ends[start:stop] - counts[start:stop], counts[start:stop])
        second = first + 1 + np.arange(len(first)) + (ends[start - 1] if start else 0) - before
        a, b = sorted_boxes[first], sorted_boxes[second]
        shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0).prod(1)
        overlap = shared / (sizes[first] + sizes[second] - shared)
        near = overlap >= least
        found.append((order[first[near]], order[second[near]], overlap[near]))
        start = stop
    one, other, overlap = (np.concatenate(part) for part in zip(*found))
    first, second = np.minimum(one, other), np.maximum(one, other)
    by_second = np.lexsort((first, second))
    return first[by_second], second[by_second], overlap[by_second]


def _candidates(boxes: np.ndarray, groups: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """An order of the boxes, by group and along the better axis of each, and with how many of those after it each box is to be compared."""
    work = []
    for axis in (0, 1):
        order = np.lexsort((boxes[:, axis], groups))
        counts = _followers(boxes[order][:, [axis, axis + 2]], groups[order], least)
        work.append((order, counts, np.bincount(groups[order], counts)))
    upright = (work[1][2] < work[0][2])[groups[work[0][0]]]  # groups stand at the same places in both orders
    return np.where(upright, work[1][0], work[0][0]), np.where(upright, work[1][1], work[0][1])


def _followers(spans: np.ndarray, groups: np.ndarray, least: float) -> np.ndarray:
    """How many of the spans (N, 2) after each, sorted by group and start, begin near enough to it."""
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else np.zeros(0, np.int64)
    counts = np.zeros(len(groups), np.int64)
    reach = spans[:, 0] + (1 - least) * (spans[:, 1] - spans[:, 0]) * (1 + 1e-9)
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(groups)]):
        if stop - start > 1:
            last = np.searchsorted(spans[start:stop, 0], reach[start:stop], "right")
            counts[start:stop] = np.maximum(last - np.arange(1, stop - start + 1), 0)
    return counts

"""Boxes found in overlapping windows of one picture, brought together so that each thing appears once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidi.ops.boxes import clip_boxes, iou_matrix

Windows = np.ndarray
"""(T, 4) x1, y1, x2, y2 in the picture's pixels."""


def cut_sides(boxes: np.ndarray, windows: Windows, size: tuple[int, int]) -> np.ndarray:
    """(N, 4) bool: which sides (left, top, right, bottom) of each box lie at a border of its window inside the picture.

    A side counts as lying there within 2 pixels or 2 % of the window, whichever is more.

    Args:
        boxes: (N, 4).
        windows: (N, 4), the window of each box.
        size: (height, width) of the picture.
    """
    height, width = size
    inner = np.stack([windows[:, 0] > 0, windows[:, 1] > 0, windows[:, 2] < width, windows[:, 3] < height], 1)
    return inner & (np.abs(boxes - windows) <= np.tile(tolerance(windows), 2))


def tolerance(windows: Windows) -> np.ndarray:
    """(T, 2) how near, in x and y, a side must be to a window's border to count as cut by it."""
    return np.maximum(2.0, 0.02 * (windows[:, 2:] - windows[:, :2]))


def stitch_boxes(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, owners: np.ndarray, windows: Windows, size: tuple[int, int], iou: float = 0.5
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """One box per thing.

    Of whole boxes of one class in different windows that overlap by more than `iou`, the best stays. A box cut by its window's border
    that looks, in the region both windows show, like a whole box of another window is left out, and the whole box gets the higher score
    of the two. Cut boxes that look alike there are parts of one thing: their union, with the highest score. Boxes of one
    window never meet each other, so a single window changes nothing. Of a window that is the whole picture, boxes that another shows
    whole and no longer than half its side are left out: what is small is seen better there.

    Args:
        boxes: (N, 4) in the picture's pixels.
        scores: (N,).
        classes: (N,).
        owners: (N,) index of the window each was found in.
        windows: (T, 4).
        size: (height, width) of the picture.
        iou: smallest overlap (not reached by equality) of what is the same.

    Returns:
        boxes (M, 4) float64 and scores (M,) by falling score, and the indices of each one's members, the leader first.
    """
    boxes, scores = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(scores, np.float64)
    windows = np.asarray(windows, np.float64).reshape(-1, 4)
    if not len(boxes):
        return boxes, scores, []
    classes, owners = np.asarray(classes), np.asarray(owners)
    sides = cut_sides(boxes, windows[owners], size)
    cut = np.asarray(sides.any(1))
    pairs = _alike(boxes, classes, owners, windows, sides, iou)
    final, alive, leader = scores.copy(), ~_seen_better(boxes, owners, windows, size), np.arange(len(boxes))
    for i in np.lexsort((-scores, cut)):  # whole boxes first, best first
        if alive[i] and not cut[i]:
            for j in pairs[i]:
                if alive[j]:
                    alive[j] = False
                    final[i] = max(final[i], scores[j])
    for i in np.argsort(-scores, kind="stable"):
        if alive[i] and cut[i] and leader[i] == i:
            _spread(int(i), pairs, leader, alive & cut)
    groups = [np.flatnonzero(alive & (leader == i)) for i in np.flatnonzero(alive & (leader == np.arange(len(boxes))))]
    groups = [group[np.argsort(-scores[group], kind="stable")] for group in groups]
    joined = np.array([[*boxes[group, :2].min(0), *boxes[group, 2:].max(0)] for group in groups])
    values = np.array([final[group].max() for group in groups])
    order = np.argsort(-values, kind="stable")
    return joined[order], values[order], [groups[i] for i in order]


def _seen_better(boxes: np.ndarray, owners: np.ndarray, windows: Windows, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: boxes of a window that is the whole picture which a smaller one shows whole, and no longer than half its side."""
    whole = (windows == [0, 0, size[1], size[0]]).all(1)
    slack, least = tolerance(windows), (windows[:, 2:] - windows[:, :2]).min(1) / 2
    found = np.zeros(len(boxes), bool)
    mine = np.flatnonzero(whole[owners])
    for t in np.flatnonzero(~whole):
        inner = windows[t] + np.concatenate([slack[t], -slack[t]]) * [windows[t, 0] > 0, windows[t, 1] > 0, windows[t, 2] < size[1], windows[t, 3] < size[0]]
        box = boxes[mine]
        fits = (box[:, :2] >= inner[:2]).all(1) & (box[:, 2:] <= inner[2:]).all(1) & ((box[:, 2:] - box[:, :2]).max(1) <= least[t])
        found[mine[fits]] = True
    return found


def _spread(start: int, pairs: Sequence[list[int]], leader: np.ndarray, usable: np.ndarray) -> None:
    """Everything that hangs together with `start` gets it as its leader."""
    waiting = [start]
    while waiting:
        for j in pairs[waiting.pop()]:
            if usable[j] and leader[j] == j and j != start:
                leader[j] = start
                waiting.append(j)


def _alike(
    boxes: np.ndarray, classes: np.ndarray, owners: np.ndarray, windows: Windows, sides: np.ndarray, iou: float
) -> list[list[int]]:
    """For each box, those of other windows that show the same thing."""
    found: list[list[int]] = [[] for _ in boxes]
    members = [np.flatnonzero(owners == t) for t in range(len(windows))]
    slack = np.tile(tolerance(windows), 2) * np.array([-1, -1, 1, 1])
    grown = boxes + sides * slack[owners]  # what is cut goes on behind the border
    reach = windows + slack
    cut = np.asarray(sides.any(1))
    low, high = np.maximum(reach[:, None, :2], reach[None, :, :2]), np.minimum(reach[:, None, 2:], reach[None, :, 2:])
    filled = np.array([len(own) > 0 for own in members], bool)
    meeting = (low < high).all(2) & filled[:, None] & filled[None]
    for a, b in np.argwhere(np.triu(meeting, 1)):
        zone = np.concatenate([low[a, b], high[a, b]])
        one, two = members[a], members[b]
        plain = iou_matrix(boxes[one], boxes[two])
        seen = iou_matrix(_inside(grown[one], zone), _inside(grown[two], zone))
        overlap = np.where(cut[one][:, None] | cut[two][None], seen, plain)
        for i, j in np.argwhere((overlap > iou) & (classes[one][:, None] == classes[two][None])):
            found[one[i]].append(int(two[j]))
            found[two[j]].append(int(one[i]))
    return found


def _inside(boxes: np.ndarray, zone: np.ndarray) -> np.ndarray:
    """Boxes cut to a zone, from its corner."""
    corner = np.tile(zone[:2], 2)
    return clip_boxes(boxes - corner, (zone[3] - zone[1], zone[2] - zone[0]))


def blend_weights(size: tuple[int, int]) -> np.ndarray:
    """(H, W) float64 in 0..1: a Gaussian bump with 1/8 of the sides as its width, so that a window's rim has little say; at least 1e-3."""
    rows, columns = (np.exp(-0.5 * (((np.arange(n) + 0.5) / n - 0.5) * 8) ** 2) for n in size)
    return np.maximum(np.outer(rows, columns), 1e-3)

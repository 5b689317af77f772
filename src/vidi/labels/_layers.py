"""What is left of things in a picture that is cut, painted over or laid over another: the rules by which truth follows pixels in
training. They work on any label with `boxes`, `masks` and `crowd` that can be indexed; see `vidi.labels.Detections`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vidi.ops.boxes import area, clip_boxes, warp_boxes

VISIBLE = 0.2
"""A thing of which a smaller share can be seen is not marked."""

SIDE = 2.0
"""Nor is one with a shorter side, in pixels."""

COUNTS = 0.3
"""Things of a picture that shines through with a smaller share are not marked."""

Things = Any
"""A label with boxes, of the family that comes in and goes out."""


def cropped(things: Things, matrix: np.ndarray, size: tuple[int, int]) -> Things:
    """Moved onto a canvas of (height, width), without slivers; crowd regions stay as long as anything of them does."""
    moved = warp_boxes(things.boxes, matrix)
    seen = clip_boxes(moved, size)
    kept = (area(seen) >= VISIBLE * area(moved)) & ((seen[:, 2:] - seen[:, :2]).min(1, initial=np.inf) >= SIDE)
    kept = _with_crowds(things, kept)
    return (things if kept.all() else things[kept]).warp(matrix, size)


def behind(things: Things, covered: np.ndarray) -> Things:
    """After pixels (H, W) bool were painted over: things hidden by more than 80 % are left out, others are cut to what is seen.

    A box without a mask is cut where whole rows or columns of it are hidden.
    """
    boxes, masks = things.boxes, things.masks
    if not len(boxes) or not covered.any():
        return things
    if masks is not None and masks.shape[1:] == covered.shape:
        left = masks & ~covered
        before, after = masks.sum((1, 2)), left.sum((1, 2))
        share = np.divide(after, before, out=np.ones(len(boxes)), where=before > 0)
        cut = np.stack([_around(mask, box, (0, 0)) if some else box for mask, box, some in zip(left, boxes, after < before)])
        things = replace(things, boxes=cut, masks=left)
    else:
        share, cut = np.ones(len(boxes)), boxes.copy()
        for row, (box, (x0, y0, x1, y1)) in enumerate(zip(boxes, _pixels(boxes, covered.shape))):
            hidden = covered[y0:y1, x0:x1]
            if hidden.any():
                share[row], cut[row] = 1 - hidden.mean(), _around(~hidden, box, (x0, y0))
        things = replace(things, boxes=cut)
    sides = cut[:, 2:] - cut[:, :2]
    kept = _with_crowds(things, (share >= 1) | ((share >= VISIBLE) & (sides.min(1) >= SIDE)))
    return things if kept.all() else things[kept]


def within(things: Things, shown: np.ndarray) -> Things:
    """Only what can be seen on the pixels (H, W) bool, by the rules of `cropped` and `behind`."""
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    if not len(rows):
        return things[:0]
    y0, x0, y1, x1 = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    there, back = np.eye(3), np.eye(3)
    back[:2, 2] = x0, y0
    there[:2, 2] = -x0, -y0
    return behind(cropped(things, there, (y1 - y0, x1 - x0)).warp(back, shown.shape), ~shown)


def joined(parts: list[Things]) -> Things:
    """All things of several labels (at least one); an empty label among them takes no field away from the others."""
    full = [part for part in parts if len(part)] or parts[:1]
    return full[0] if len(full) == 1 else type(full[0]).concatenate(full)


def _with_crowds(things: Things, kept: np.ndarray) -> np.ndarray:
    crowd = things.crowd
    return kept if crowd is None else kept | crowd


def _pixels(boxes: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(N, 4) whole pixels that boxes touch within a picture."""
    low, high = np.floor(boxes[:, :2] + 1e-3), np.ceil(boxes[:, 2:] - 1e-3)
    return clip_boxes(np.concatenate([low, np.maximum(high, low)], 1), (size[0], size[1])).astype(np.int64)


def _around(mask: np.ndarray, box: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """The box cut to the upright rectangle around the True pixels of a mask whose top-left pixel lies at `corner` (x, y)."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.concatenate([box[:2], box[:2]])
    x, y = corner
    low = np.maximum(box[:2], [x + columns[0], y + rows[0]])
    return np.concatenate([low, np.maximum(low, np.minimum(box[2:], [x + columns[-1] + 1, y + rows[-1] + 1]))])

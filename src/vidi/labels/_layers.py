"""What is left of things in a picture that is cut, painted over or laid over another: the rules by which truth follows pixels in
training. They work on any label with `boxes`, `masks` and `crowd` that can be indexed; see `vidi.labels.Detections`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vidi.labels.outline import Runs
from vidi.ops.boxes import area, clip_boxes, warp_boxes
from vidi.ops.cutouts import Cutout, cut_out
from vidi.ops.sampling import bend_nearest, upright

VISIBLE = 0.2
"""A thing of which a smaller share can be seen is not marked."""

SIDE = 2.0
"""Nor is one with a shorter side, in pixels."""

COUNTS = 0.3
"""Things of a picture that shines through with a smaller share are not marked."""

Things = Any
"""A label with boxes, of the family that comes in and goes out."""


def cropped(things: Things, matrix: np.ndarray, size: tuple[int, int]) -> Things:
    """Moved onto a canvas of (height, width), without slivers; crowd regions stay as long as anything of them does.

    Where a thing's mask or outline is known, the share that is seen is the mask's, and a box that fitted it before fits it after.
    """
    moved = warp_boxes(things.boxes, matrix)
    seen = clip_boxes(moved, size)
    kept = (area(seen) >= VISIBLE * area(moved)) & ((seen[:, 2:] - seen[:, :2]).min(1, initial=np.inf) >= SIDE)
    kept = _with_crowds(things, kept) & (area(seen) > 0)
    things = things if kept.all() else things[kept]
    after = things.warp(matrix, size)
    if things.masks is None and things.outlines is None:
        return after
    changed = (seen != moved).any(1)[kept] if upright(np.asarray(matrix)) else np.ones(len(after), bool)
    return _fitted(things, after, np.asarray(matrix, np.float64), np.flatnonzero(changed))


def _fitted(before: Things, after: Things, matrix: np.ndarray, rows: np.ndarray) -> Things:
    """Things that were moved, those at `rows` with their boxes cut to their masks, or left out with hardly anything of their mask left."""
    boxes, kept = after.boxes.copy(), np.ones(len(after), bool)
    for i in rows:
        old, new = _extent(before, i), _extent(after, i)
        if old is None or new is None or old[1] == 0:
            continue
        whole = old[1] * _scale(matrix, old[0])
        inner = np.concatenate([np.maximum(boxes[i, :2], new[0][:2]), np.minimum(boxes[i, 2:], new[0][2:])])
        kept[i] = new[1] > 0 and new[1] >= VISIBLE * whole and (inner[2:] > inner[:2]).all()
        if kept[i] and np.abs(before.boxes[i] - old[0]).max() <= SIDE:
            boxes[i] = inner
            kept[i] = (inner[2:] - inner[:2]).min() >= SIDE
    kept = _with_crowds(after, kept)
    after = replace(after, boxes=boxes)
    return after if kept.all() else after[kept]


def _extent(things: Things, i: int) -> tuple[np.ndarray, float] | None:
    """The box (4,) around a thing's mask or outline, and its area; None where there is none."""
    if things.masks is not None:
        cut = cut_out(things.masks[i])
        return np.array(cut.box, np.float64), float(cut.bits.sum())
    outline = things.outlines[i]
    return None if outline is None else (outline.box(), outline.area())


def _scale(matrix: np.ndarray, box: np.ndarray) -> float:
    """How much larger a small area in the middle of a box becomes."""
    depth = float(matrix[2] @ [*(box[:2] + box[2:]) / 2, 1])
    return abs(float(np.linalg.det(matrix))) / abs(depth) ** 3 if abs(depth) > 1e-9 else 0.0


def bent(things: Things, displacement: np.ndarray) -> Things:
    """After the picture's pixel at (x, y) shows what was at (x, y) + displacement (2, H, W): masks and outlines, which become run lengths,
    and the boxes that fitted them; things that left the picture are left out."""
    size = (displacement.shape[1], displacement.shape[2])
    boxes, kept = things.boxes.copy(), np.ones(len(things), bool)
    masks = None if things.masks is None or things.masks.shape[1:] != size else bend_nearest(things.masks, displacement, False)
    outlines = [None] * len(things) if things.outlines is None else list(things.outlines)
    reach = [int(np.ceil(np.abs(part).max(initial=0))) + 1 for part in displacement]
    for i in range(len(things)):
        whole = cut_out(things.masks[i]) if masks is not None else _drawn(outlines[i], size)
        if whole is None or not whole.bits.any():
            continue
        x1, y1, x2, y2 = whole.box
        x1, y1, x2, y2 = max(0, x1 - reach[0]), max(0, y1 - reach[1]), min(size[1], x2 + reach[0]), min(size[0], y2 + reach[1])
        here = bend_nearest(whole.part((x1, y1, x2, y2)), displacement[:, y1:y2, x1:x2], False)
        after = Cutout(x1, y1, here).tight()
        kept[i] = bool(after.bits.size) and min(after.bits.shape) >= SIDE
        if np.abs(boxes[i] - whole.tight().box).max() <= SIDE:
            boxes[i] = after.box
        outlines[i] = None if outlines[i] is None else Runs.of_cutout(after, size)
    things = replace(things, boxes=boxes, masks=things.masks if masks is None else masks)
    things = things if things.outlines is None else replace(things, outlines=tuple(outlines))
    kept = _with_crowds(things, kept)
    return things if kept.all() else things[kept]


def behind(things: Things, covered: np.ndarray) -> Things:
    """After pixels (H, W) bool were painted over: things hidden by more than 80 % are left out, others are cut to what is seen.

    An outline that is cut becomes run lengths. A box without mask and outline is cut where whole rows or columns of it are hidden.
    """
    boxes, masks = things.boxes, things.masks
    if not len(boxes) or not covered.any():
        return things
    masks = masks.copy() if masks is not None and masks.shape[1:] == covered.shape else None
    outlines = [None] * len(boxes) if things.outlines is None else list(things.outlines)
    share, cut = np.ones(len(boxes)), boxes.copy()
    for row, (box, (x0, y0, x1, y1)) in enumerate(zip(boxes, _pixels(boxes, covered.shape))):
        whole = cut_out(masks[row]) if masks is not None else _drawn(outlines[row], covered.shape)
        if whole is None:
            hidden = covered[y0:y1, x0:x1]
            if hidden.any():
                share[row], cut[row] = 1 - hidden.mean(), _around(~hidden, box, (x0, y0))
            continue
        left = whole.minus(covered)
        before, after = whole.bits.sum(), left.bits.sum()
        if after < before:
            share[row], cut[row] = after / before, _around(left.bits, box, (left.x, left.y))
            outlines[row] = None if outlines[row] is None else Runs.of_cutout(left, covered.shape)
            if masks is not None:
                masks[row] &= ~covered
    things = replace(things, boxes=cut, masks=things.masks if masks is None else masks)
    things = things if things.outlines is None else replace(things, outlines=tuple(outlines))
    sides = cut[:, 2:] - cut[:, :2]
    kept = _with_crowds(things, (share >= 1) | ((share >= VISIBLE) & (sides.min(1) >= SIDE)))
    return things if kept.all() else things[kept]


def _drawn(outline: Any, size: tuple[int, ...]) -> Any:
    """The pixels of an outline; None where there is none, or one of a picture of another size."""
    return None if outline is None or (isinstance(outline, Runs) and outline.size != size) else outline.cutout(size)


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
    """All things of several labels (at least one); an empty label among them takes no field away from the others, nor does one without
    masks: they become outlines."""
    full = [part for part in parts if len(part)] or parts[:1]
    if len({part.masks is None for part in full}) > 1:
        full = [part.compact() for part in full]
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

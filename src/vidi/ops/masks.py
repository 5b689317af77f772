"""Between masks in pixels and small soft masks on a grid: what a grid's cells hold of a mask, and what pixels a soft mask means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidi.ops.cutouts import Cutout

THRESHOLD = 0.5
LEAST = 1e-6


def box_coverage(cut: Cutout, boxes: np.ndarray, side: int) -> np.ndarray:
    """How much of each cell of a grid in each box a mask covers, exactly: (R, side, side) float32 in 0..1.

    Args:
        cut: the mask, cut out of its picture; what lies beyond the picture is not covered.
        boxes: (R, 4) x1, y1, x2, y2 in pixels.
        side: cells per side of the grid.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    tall, wide = cut.bits.shape
    rows = _shares(boxes[:, 1], boxes[:, 3], side, cut.y, tall)
    columns = _shares(boxes[:, 0], boxes[:, 2], side, cut.x, wide)
    return rows @ cut.bits.astype(np.float32) @ columns.transpose(0, 2, 1)


def _shares(low: np.ndarray, high: np.ndarray, side: int, first: int, count: int) -> np.ndarray:
    """(R, side, count) float32: the share of each of `side` cells from `low` to `high` (R,) that each of `count` pixels from `first` takes."""
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, side + 1, dtype=np.float32)
    pixels = np.arange(first, first + count, dtype=np.float32)
    shared = np.minimum(edges[:, 1:, None], pixels + 1) - np.maximum(edges[:, :-1, None], pixels)
    return np.maximum(shared, 0) / np.maximum(np.diff(edges, axis=1), LEAST)[..., None]


def cell_coverage(cut: Cutout, cells: tuple[int, int, int, int], step: int) -> np.ndarray:
    """How much of each cell a mask covers: (h, w) float32 in 0..1.

    Args:
        cut: the mask, cut out of its picture.
        cells: x1, y1, x2, y2 in cells.
        step: pixels per side of a cell.
    """
    x1, y1, x2, y2 = cells
    part = cut.part((x1 * step, y1 * step, x2 * step, y2 * step))
    return part.reshape(y2 - y1, step, x2 - x1, step).mean((1, 3), dtype=np.float32)


def paste(
    soft: Sequence[np.ndarray] | np.ndarray, boxes: np.ndarray, size: tuple[int, int], frames: np.ndarray | None = None
) -> np.ndarray:
    """The pixels that soft masks mean: (N, H, W) bool.

    A pixel of a thing's box belongs to it where the soft mask, read at the pixel's center between the centers of its cells (bilinear; the
    outer half of the border cells has their value), is 0.5 or more. Only what lies in the boxes is computed.

    Args:
        soft: (N, h, w) in 0..1, or N arrays of various sizes.
        boxes: (N, 4) x1, y1, x2, y2 in pixels; pixels whose center lies outside do not belong to the thing.
        size: (height, width) of the picture.
        frames: (N, 4) where the soft masks' grids lie, in pixels; None: in the boxes.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    frames = boxes if frames is None else np.asarray(frames, np.float32).reshape(-1, 4)
    found = np.zeros((len(boxes), *size), bool)
    limits = np.clip(np.ceil(boxes - 0.5), 0, [size[1], size[0]] * 2).astype(np.int64).tolist()
    for out, one, frame, (x1, y1, x2, y2) in zip(found, soft, frames, limits):
        if x2 > x1 and y2 > y1:
            out[y1:y2, x1:x2] = _read(one, frame, (x1, y1, x2, y2)) >= THRESHOLD
    return found


def _read(soft: np.ndarray, frame: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """(y2 − y1, x2 − x1) values of a soft mask (h, w) that lies in a frame, at the centers of the pixels of a window x1, y1, x2, y2."""
    x1, y1, x2, y2 = window
    before, after, share = _between(y1, y2, float(frame[1]), float(frame[3]), soft.shape[0])
    left, right, part = _between(x1, x2, float(frame[0]), float(frame[2]), soft.shape[1])
    start = int(left[0])
    soft = soft[:, start : int(right[-1]) + 1]
    lines = soft[before] * (1 - share)[:, None] + soft[after] * share[:, None]
    return lines[:, left - start] * (1 - part) + lines[:, right - start] * part


def _between(first: int, last: int, low: float, high: float, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For pixels first..last−1: the two of `cells` cells from `low` to `high` that each lies between, and the share of the second."""
    place = (np.arange(first, last, dtype=np.float32) + 0.5 - low) * (cells / max(high - low, LEAST)) - 0.5
    place = place.clip(0, cells - 1)
    before = np.floor(place).astype(np.int64)
    return before, np.minimum(before + 1, cells - 1), (place - before).astype(np.float32)

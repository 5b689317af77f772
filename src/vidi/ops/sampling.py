"""Moving maps of classes and masks by a matrix, in numpy, without inventing values between classes."""

from __future__ import annotations

import numpy as np


def warp_nearest(maps: np.ndarray, matrix: np.ndarray, size: tuple[int, int], fill: float | int | bool) -> np.ndarray:
    """Maps (…, H, W) after a 3×3 matrix (old x, y → new x, y), on a canvas of (height, width).

    Each new pixel's center is traced back and takes the value of the pixel it falls in; `fill` where that is outside
    the picture or behind the horizon.
    """
    height, width = size
    matrix = np.asarray(matrix, np.float64)
    if maps.shape[-2:] == (height, width) and np.array_equal(matrix, np.eye(3)):
        return maps.copy()
    back = np.linalg.inv(matrix)
    x, y = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    ahead = depth > 0
    depth = np.where(ahead, depth, 1.0)
    column = np.floor((back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth + 1e-9)
    row = np.floor((back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth + 1e-9)
    tall, wide = maps.shape[-2:]
    inside = ahead & (column >= 0) & (column < wide) & (row >= 0) & (row < tall)
    out = np.full((*maps.shape[:-2], height, width), fill, maps.dtype)
    if inside.any():
        out[..., inside] = maps[..., row[inside].astype(np.int64), column[inside].astype(np.int64)]
    return out


def bend_nearest(maps: np.ndarray, displacement: np.ndarray, fill: float | int | bool) -> np.ndarray:
    """Maps (…, H, W) after bending: the new pixel at (x, y) takes the value of the one that (x, y) + displacement (2, H, W) falls in; `fill`
    where that is outside the picture."""
    height, width = maps.shape[-2:]
    column = np.floor(displacement[0] + np.arange(width) + 0.5).astype(np.int64)
    row = np.floor(displacement[1] + np.arange(height)[:, None] + 0.5).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    bent = maps[..., row.clip(0, height - 1), column.clip(0, width - 1)]
    return np.where(inside, bent, np.asarray(fill, maps.dtype))


def warp_linear(maps: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Like `warp_nearest` for maps (…, H, W) of float32 that may be mixed, such as probabilities: each new pixel takes the mean of the
    four around its traced-back center, by nearness; 0 outside. Where the matrix turns, shears or bends, the nearest pixel is taken.
    """
    matrix = np.asarray(matrix, np.float64)
    if not upright(matrix):
        return warp_nearest(maps, matrix, size, 0.0)
    row, column = (_between(matrix[a, a], matrix[a, 2], maps.shape[-2:][1 - a], size[1 - a]) for a in (1, 0))
    return _mixed(_mixed(maps, row, -2), column, -1)


def upright(matrix: np.ndarray) -> bool:
    """Whether a 3×3 matrix only stretches, mirrors and moves."""
    return not (np.delete(matrix.ravel(), (0, 2, 4, 5, 8)).any() or matrix[2, 2] != 1)


def _between(scale: float, shift: float, old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `new` pixels along one side: the two of `old` pixels it lies between, and the weight of each, (2, new) float32."""
    place = (np.arange(new) + 0.5 - shift) / scale
    inside = (place >= -1e-9) & (place <= old + 1e-9) & (old > 0)
    middle = np.clip(place - 0.5, 0, max(0, old - 1))
    first = np.floor(middle + 1e-9).astype(np.int64)
    share = np.clip(middle - first, 0, 1)
    return first, np.minimum(first + 1, max(0, old - 1)), (np.stack([1 - share, share]) * inside).astype(np.float32)


def _mixed(maps: np.ndarray, between: tuple[np.ndarray, np.ndarray, np.ndarray], axis: int) -> np.ndarray:
    """Maps resampled along their last (-1) or last but one (-2) axis."""
    first, second, weights = between
    if maps.shape[axis] == 0:
        return np.zeros((*maps.shape[:-2], len(first), maps.shape[-1]) if axis == -2 else (*maps.shape[:-1], len(first)), np.float32)
    if axis == -2:
        weights = weights[:, :, None]
    return maps.take(first, axis) * weights[0] + maps.take(second, axis) * weights[1]


def warp_masks(masks: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks (N, H, W) bool after a 3×3 matrix, on a canvas of (height, width): where they are enlarged, their edges are drawn straight
    between pixel centers instead of in steps; else each pixel takes the nearest one's value."""
    matrix = np.asarray(matrix, np.float64)
    if not upright(matrix) or min(abs(matrix[0, 0]), abs(matrix[1, 1])) <= 1:
        return warp_nearest(masks, matrix, size, False)
    rows, columns = (_between(matrix[a, a], matrix[a, 2], masks.shape[1:][1 - a], size[1 - a]) for a in (1, 0))
    out = np.zeros((len(masks), *size), bool)
    for mask, new in zip(masks, out):
        here = [np.flatnonzero(mask.any(1 - axis)) for axis in (0, 1)]
        if not len(here[0]):
            continue
        (tall, row), (wide, column) = (_touched(between, part[0], part[-1]) for between, part in zip((rows, columns), here))
        new[tall, wide] = _mixed(_mixed(mask.astype(np.float32), row, -2), column, -1) >= 0.5
    return out


def _touched(between: tuple[np.ndarray, np.ndarray, np.ndarray], low: int, high: int) -> tuple[slice, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The new pixels that look at the old ones low..high, and how."""
    first, second, weights = between
    seen = np.flatnonzero((second >= low) & (first <= high))
    part = slice(seen[0], seen[-1] + 1) if len(seen) else slice(0, 0)
    return part, (first[part], second[part], weights[:, part])

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

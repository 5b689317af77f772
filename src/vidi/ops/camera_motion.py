"""How the camera moved between two frames, from their pixels: phase correlation, then direct alignment of the most textured pixels."""

from __future__ import annotations

import numpy as np
from scipy import fft

MODELS = {
    "translation": np.eye(6)[:, [2, 5]],
    "similarity": np.array([[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]),
    "affine": np.eye(6),
}
"""The six numbers of an affine motion (row by row) as combinations of a model's own."""

_CELLS, _PER_CELL, _LEVELS, _STEPS = 12, 12, 3, 6
_STILL = 1e-2  # pixels of the level, below which a step ends the search


def small_gray(frame: np.ndarray, side: int = 256) -> tuple[np.ndarray, int]:
    """A frame's green, block by block, so that its longer side has at most `side` pixels.

    Args:
        frame: (H, W, 3) or (H, W) uint8.

    Returns:
        (h, w) float32 in 0..255, and how many pixels a block is wide; a rest at the right and the bottom is left out.
    """
    green = frame if frame.ndim == 2 else frame[:, :, 1]
    block = max(1, -(-max(green.shape) // side))
    height, width = (max(1, length // block) for length in green.shape)
    total = np.zeros((height, width), np.uint32)
    for row in range(min(block, green.shape[0])):
        for column in range(min(block, green.shape[1])):
            total += green[row : row + (height - 1) * block + 1 : block, column : column + (width - 1) * block + 1 : block]
    return total.astype(np.float32) / (block * block), block


def shift_between(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Whole pixels (x, y) by which the picture moved, from the peak of the phase correlation (Kuglin and Hines 1975)."""
    height, width = before.shape
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    first, second = (fft.rfft2((picture - picture.mean()) * window) for picture in (before, after))
    cross = second * first.conj()
    peak = int(fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=(height, width)).argmax())
    y, x = divmod(peak, width)
    return float(x - width if x > width // 2 else x), float(y - height if y > height // 2 else y)


def camera_motion(
    before: np.ndarray, after: np.ndarray, *, model: str = "similarity", boxes: np.ndarray | None = None, farthest: float = 0.3
) -> np.ndarray:
    """The motion of the background between two gray pictures of one size.

    Inverse compositional alignment (Baker and Matthews 2004, *Lucas-Kanade 20 years on*) on a pyramid, at the pixels with the
    steepest slopes of every part of the picture, weighted by Tukey's biweight, so that things which move by themselves have no say.

    Args:
        before, after: (H, W) float.
        model: ``translation``, ``similarity`` (rotation and one scale too) or ``affine``.
        boxes: (N, 4) x1, y1, x2, y2 in pixels of `before`, whose insides are left out.
        farthest: share of the picture's longer side beyond which a motion is not believed.

    Returns:
        (3, 3) float64 that takes a point of `before` to where it is in `after`, x and y from the picture's corner. The identity where
        nothing can be said: no texture, a cut, pictures under 16 pixels.

    Raises:
        ValueError: two sizes, or an unknown model.
    """
    if before.shape != after.shape or before.ndim != 2:
        raise ValueError(f"pictures: expected one size (H, W), got {before.shape} and {after.shape}")
    if model not in MODELS:
        raise ValueError(f"model: expected one of {', '.join(MODELS)}, got {model!r}")
    if min(before.shape) < 16:
        return np.eye(3)
    pairs = [(np.asarray(before, np.float32), np.asarray(after, np.float32))]
    while len(pairs) < _LEVELS and min(pairs[-1][0].shape) >= 48:
        pairs.append((_halved(pairs[-1][0]), _halved(pairs[-1][1])))
    places = [_textured(first, boxes, 2.0**level) for level, (first, _) in enumerate(pairs)]
    if len(places[0][0]) < 24:
        return np.eye(3)
    jump = np.eye(3)
    jump[:2, 2] = shift_between(*pairs[0])
    starts = [np.eye(3)] if not jump[:2, 2].any() else [np.eye(3), jump]
    coarse = len(pairs) - 1
    matrix = min(starts, key=lambda start: _misfit(start, pairs[coarse], places[coarse], 2.0**coarse))
    for level in range(coarse, -1, -1):
        matrix = _aligned(matrix, pairs[level], places[level], 2.0**level, MODELS[model])
    return matrix if _believable(matrix, pairs[0], places[0], farthest) else np.eye(3)


class CameraMotion:
    """The motion of the background from frame to frame of one video; cheap while the camera stands still.

    A picture is kept until the camera has moved. As long as its most textured places show what they did, as far as one step of alignment
    can tell, the motion is none; what is too little to be told adds up until it can be, and is then given at once.

    Args:
        side: longest side of the pictures that are compared, in pixels, see `small_gray`.
        model: see `camera_motion`.
        still: a motion of less, in pixels of those pictures, is none.
        renew: frames after which a picture is replaced though nothing moved, for the light changes.
    """

    def __init__(self, side: int = 256, model: str = "similarity", still: float = 0.1, renew: int = 50) -> None:
        self.side, self.model, self.still, self.renew = side, model, still, renew
        self._kept: np.ndarray | None = None
        self._boxes: np.ndarray | None = None
        self._places: tuple[np.ndarray, np.ndarray, float] | None = None
        self._age = 0

    def __call__(self, frame: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """The motion since the frame before.

        Args:
            frame: (H, W, 3) or (H, W) uint8, the next one.
            boxes: (N, 4) x1, y1, x2, y2 in pixels: what moves by itself in it.

        Returns:
            (3, 3) float64 that takes a point of the frame before to where it is in this one; the identity at first.
        """
        gray, block = small_gray(frame, self.side)
        before, self._age = self._kept, self._age + 1
        if before is None or before.shape != gray.shape:
            self._keep(gray, boxes, block)
            return np.eye(3)
        if self._stands(before, gray):
            if self._age >= self.renew:
                self._keep(gray, boxes, block)
            return np.eye(3)
        matrix = camera_motion(before, gray, model=self.model, boxes=self._boxes)
        matrix[:2, 2] *= block
        self._keep(gray, boxes, block)
        return matrix

    def _keep(self, gray: np.ndarray, boxes: np.ndarray | None, block: int) -> None:
        """Makes a picture the one that the next are compared with; its places are looked for when they are needed."""
        self._kept, self._boxes, self._age = gray, None if boxes is None else boxes / block, 0
        self._places = None

    def _stands(self, before: np.ndarray, after: np.ndarray) -> bool:
        """Whether the kept picture's places show the same, and a step of alignment leads nowhere."""
        if min(before.shape) < 16:
            return True
        if self._places is None:
            y, x, slopes = _textured(before, self._boxes, 1.0)
            away = 2 * np.column_stack([x, y]) / max(before.shape) - np.array(before.shape[::-1]) / max(before.shape)
            turned = slopes[:, 1] * away[:, 0] - slopes[:, 0] * away[:, 1]
            by = np.column_stack([slopes, (slopes * away).sum(1), turned])  # shift by x, by y, scale, turn
            self._places = y * before.shape[1] + x, by, float(np.median(np.hypot(slopes[:, 0], slopes[:, 1]))) if len(x) else 0.0
        places, by, steep = self._places
        if len(places) < 24:
            return False
        residual = (after.ravel()[places] - before.ravel()[places]).astype(np.float64)
        residual -= np.median(residual)
        size = np.abs(residual)
        usual = float(np.median(size))
        if usual > 0.25 * steep:
            return False
        weights = np.maximum(0, 1 - (size / (4.685 * max(1.4826 * usual, 0.5))) ** 2) ** 2
        weighted = by.T * weights
        normal = weighted @ by
        step = np.linalg.solve(normal + 1e-6 * np.trace(normal) * np.eye(4) + 1e-9 * np.eye(4), weighted @ residual)
        return bool(np.hypot(step[0], step[1]) + np.hypot(step[2], step[3]) < self.still)


def _halved(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    return (picture[0:height:2, 0:width:2] + picture[1:height:2, 0:width:2]
            + picture[0:height:2, 1:width:2] + picture[1:height:2, 1:width:2]) / 4  # fmt: skip


def _textured(picture: np.ndarray, boxes: np.ndarray | None, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The steepest places of each part of a picture: rows (P,), columns (P,), slopes (P, 2) by x and y."""
    slope_y, slope_x = np.zeros_like(picture), np.zeros_like(picture)
    slope_y[1:-1] = (picture[2:] - picture[:-2]) / 2
    slope_x[:, 1:-1] = (picture[:, 2:] - picture[:, :-2]) / 2
    steep = slope_x**2 + slope_y**2
    steep[[0, -1]] = steep[:, [0, -1]] = 0
    for x1, y1, x2, y2 in (np.zeros((0, 4)) if boxes is None else boxes / scale).astype(np.int64).clip(0).tolist():
        steep[y1 : y2 + 1, x1 : x2 + 1] = 0
    tall, wide = (max(4, -(-length // _CELLS)) for length in picture.shape)
    rows, columns = -(-picture.shape[0] // tall), -(-picture.shape[1] // wide)
    padded = np.zeros((rows * tall, columns * wide), np.float32)
    padded[: picture.shape[0], : picture.shape[1]] = steep
    cells = padded.reshape(rows, tall, columns, wide).transpose(0, 2, 1, 3).reshape(rows * columns, tall * wide)
    count = min(_PER_CELL, tall * wide)
    best = np.argpartition(-cells, count - 1, axis=1)[:, :count]
    number = np.arange(rows * columns)[:, None]
    y, x = (number // columns * tall + best // wide).ravel(), (number % columns * wide + best % wide).ravel()
    kept = np.take_along_axis(cells, best, 1).ravel() > 1.0  # a slope of a gray level per pixel
    y, x = y[kept], x[kept]
    return y, x, np.column_stack([slope_x[y, x], slope_y[y, x]]).astype(np.float64)


def _sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear values at x, y (P,), and which of them lie in the picture."""
    height, width = picture.shape
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    x, y = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    x, y = x - left, y - top
    flat, corner = picture.ravel(), top * width + left
    upper = flat[corner] * (1 - x) + flat[corner + 1] * x
    lower = flat[corner + width] * (1 - x) + flat[corner + width + 1] * x
    return upper * (1 - y) + lower * y, inside


def _residuals(matrix: np.ndarray, pair: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """(P,) what `after` has at the moved places more than `before`, less the median, and the weights of Tukey's biweight."""
    first, second = pair
    u, v = (x + 0.5) * scale, (y + 0.5) * scale  # from the corner, in pixels of the largest level
    moved = [(matrix[row, 0] * u + matrix[row, 1] * v + matrix[row, 2]) / scale - 0.5 for row in range(2)]
    values, inside = _sampled(second, moved[0], moved[1])
    residual = values - first[y, x]
    if inside.sum() < 12:
        return residual, np.zeros(len(x))
    residual = residual - np.median(residual[inside])  # a brighter picture is no motion
    spread = 1.4826 * np.median(np.abs(residual[inside]))
    limit = 4.685 * max(spread, 0.5)
    return residual, np.where(inside & (np.abs(residual) < limit), (1 - (residual / limit) ** 2) ** 2, 0)


def _misfit(matrix: np.ndarray, pair: tuple[np.ndarray, np.ndarray], places: tuple, scale: float) -> float:
    """Median size of the residuals; infinite when most places leave the picture."""
    y, x, _ = places
    if len(x) == 0:
        return np.inf
    residual, weights = _residuals(matrix, pair, x, y, scale)
    return float(np.median(np.abs(residual))) if (weights > 0).mean() > 0.2 else np.inf


def _aligned(matrix: np.ndarray, pair: tuple[np.ndarray, np.ndarray], places: tuple, scale: float, basis: np.ndarray) -> np.ndarray:
    """The motion, in pixels of the largest level, refined at one level of the pyramid."""
    y, x, slopes = places
    if len(x) < 24:
        return matrix
    height, width = pair[0].shape
    reach = scale * max(height, width) / 2
    home = np.array([[1 / reach, 0, -width * scale / 2 / reach], [0, 1 / reach, -height * scale / 2 / reach], [0, 0, 1]])
    away = np.linalg.inv(home)
    u, v = (((places + 0.5) * scale - side * scale / 2) / reach for places, side in ((x, width), (y, height)))
    one = np.ones_like(u)
    by_x, by_y = slopes[:, :1] * (reach / scale), slopes[:, 1:] * (reach / scale)
    steepest = np.concatenate([by_x * np.column_stack([u, v, one]), by_y * np.column_stack([u, v, one])], 1) @ basis
    for _ in range(_STEPS):
        residual, weights = _residuals(matrix, pair, x, y, scale)
        weighted = steepest * weights[:, None]
        normal = steepest.T @ weighted
        step = basis @ np.linalg.solve(normal + 1e-6 * np.trace(normal) * np.eye(len(normal)) + 1e-9 * np.eye(len(normal)), weighted.T @ residual)
        change = np.eye(3)
        change[:2] += step.reshape(2, 3)
        if abs(np.linalg.det(change)) < 0.1:
            return matrix
        matrix = matrix @ away @ np.linalg.inv(change) @ home
        if np.abs(step).max() * reach / scale < _STILL:
            break
    return matrix


def _believable(matrix: np.ndarray, pair: tuple[np.ndarray, np.ndarray], places: tuple, farthest: float) -> bool:
    """Whether no corner moves too far, and the motion explains the picture at least as well as none."""
    height, width = pair[0].shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]])
    if not np.isfinite(matrix).all() or np.abs((corners @ matrix.T - corners)[:, :2]).max() > farthest * max(height, width):
        return False
    return _misfit(matrix, pair, places, 1.0) <= _misfit(np.eye(3), pair, places, 1.0)

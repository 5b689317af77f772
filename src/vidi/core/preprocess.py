"""From a decoded picture to a net's canvas: the one rule that training, validation, prediction and export share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from vidi.core.images import decode_boxed
from vidi.errors import InputError

FITS = ("crop", "letterbox", "squash")
MAX_SIDE = 16384


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture becomes a canvas of fixed size.

    Args:
        size: (height, width) of the canvas.
        fit: ``crop`` scales the picture to cover the canvas and cuts what hangs over, evenly; ``letterbox`` scales it to fit inside
            and pads with `fill`; ``squash`` stretches both sides.
        fill: gray level 0..255 of the padding.
    """

    size: tuple[int, int]
    fit: str = "crop"
    fill: int = 114

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise InputError("no such fit", at="fit", value=self.fit, fix=f"one of {', '.join(FITS)}")
        if len(self.size) != 2 or not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in self.size):
            raise InputError("not a canvas", at="size", value=self.size, fix=f"(height, width), each 1..{MAX_SIDE} pixels")
        if not (isinstance(self.fill, int) and 0 <= self.fill <= 255):
            raise InputError("not a gray level", at="fill", value=self.fill, fix="0..255")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"size": list(self.size)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocess:
        return cls(tuple(values["size"]), values["fit"], values["fill"])

    def enlarged(self, factor: float) -> Preprocess:
        """The same rule on a canvas larger by a factor, to leave room for augmentation."""
        tall, wide = (max(1, round(side * factor)) for side in self.size)
        return replace(self, size=(tall, wide))

    def matrix(self, size: tuple[int, int]) -> np.ndarray:
        """(3, 3) float64 from the pixels of a picture of (height, width) to the canvas."""
        (h, w), (tall, wide) = size, self.size
        if self.fit == "letterbox":
            x, y, across, down = self._inner(size)
            return np.array([[across / w, 0, x], [0, down / h, y], [0, 0, 1]])
        sx, sy = wide / w, tall / h
        if self.fit == "crop":
            sx = sy = max(sx, sy)
        return np.array([[sx, 0, (wide - w * sx) / 2], [0, sy, (tall - h * sy) / 2], [0, 0, 1]])

    def _inner(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Where a letterboxed picture lies on the canvas, in whole pixels: x, y, width, height; at least one pixel each way."""
        (h, w), (tall, wide) = size, self.size
        scale = min(wide / w, tall / h)
        across, down = min(wide, max(1, round(w * scale))), min(tall, max(1, round(h * scale)))
        return (wide - across) // 2, (tall - down) // 2, across, down

    def load(self, picture: Any, name: Any = None) -> tuple[np.ndarray, tuple[int, int], np.ndarray]:
        """Decode a picture, scaled while decoding where possible, and place it on the canvas.

        Returns:
            the canvas (height, width, 3) uint8, the original's (height, width), the matrix from original to canvas.
        """
        pixels, original, box = decode_boxed(picture, at_least=self.size, name=name)
        return self.place(pixels, original, box), original, self.matrix(original)

    def place(
        self, pixels: np.ndarray, original: tuple[int, int] | None = None, box: tuple[float, float, float, float] | None = None
    ) -> np.ndarray:
        """Put decoded pixels (H, W, 3) uint8 on the canvas, (height, width, 3) uint8, with antialiasing.

        Args:
            pixels: the picture, perhaps decoded at a fraction of its size.
            original: the full (height, width); None: that of `pixels`.
            box: x0, y0, x1, y1, where the original lies in `pixels`; None: everywhere.
        """
        tall, wide = self.size
        h, w = original or pixels.shape[:2]
        x0, y0, x1, y1 = box or (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
        if (h, w) == (tall, wide) and pixels.shape[:2] == (tall, wide):
            return np.ascontiguousarray(pixels)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        if self.fit == "letterbox":
            x, y, across, down = self._inner((h, w))
            canvas = np.full((tall, wide, 3), self.fill, np.uint8)
            canvas[y : y + down, x : x + across] = _scaled(image, (across, down), (x0, y0, x1, y1))
            return canvas
        matrix = self.matrix((h, w))
        over_x, over_y = -matrix[0, 2] / matrix[0, 0] * (x1 - x0) / w, -matrix[1, 2] / matrix[1, 1] * (y1 - y0) / h
        return _scaled(image, (wide, tall), (x0 + over_x, y0 + over_y, x1 - over_x, y1 - over_y))


def _scaled(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """A box of the picture at a new (width, height)."""
    x0, y0, x1, y1 = box
    inside = (max(0.0, x0), max(0.0, y0), min(float(image.width), x1), min(float(image.height), y1))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=inside, reducing_gap=2.0))

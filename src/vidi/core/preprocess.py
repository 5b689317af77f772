"""From a decoded picture to a net's canvas: the one rule that training, validation, prediction and export share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from vidi.core.images import decode_sized

FITS = ("crop", "letterbox", "squash")


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

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"size": list(self.size)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocess:
        return cls(tuple(values["size"]), values["fit"], values["fill"])

    def enlarged(self, factor: float) -> Preprocess:
        """The same rule on a canvas larger by a factor, to leave room for augmentation."""
        return replace(self, size=tuple(max(1, round(side * factor)) for side in self.size))

    def matrix(self, size: tuple[int, int]) -> np.ndarray:
        """(3, 3) float64 from the pixels of a picture of (height, width) to the canvas."""
        (h, w), (tall, wide) = size, self.size
        sx, sy = wide / w, tall / h
        if self.fit == "crop":
            sx = sy = max(sx, sy)
        elif self.fit == "letterbox":
            sx = sy = min(sx, sy)
        return np.array([[sx, 0, (wide - w * sx) / 2], [0, sy, (tall - h * sy) / 2], [0, 0, 1]])

    def load(self, picture: Any, name: Any = None) -> tuple[np.ndarray, tuple[int, int], np.ndarray]:
        """Decode a picture, scaled while decoding where possible, and place it on the canvas.

        Returns:
            the canvas (height, width, 3) uint8, the original's (height, width), the matrix from original to canvas.
        """
        tall, wide = self.size
        pixels, original = decode_sized(picture, at_least=(tall, wide), name=name)
        return self.place(pixels), original, self.matrix(original)

    def place(self, pixels: np.ndarray) -> np.ndarray:
        """Put decoded pixels (H, W, 3) uint8 on the canvas, (height, width, 3) uint8, with antialiasing."""
        tall, wide = self.size
        h, w = pixels.shape[:2]
        if (h, w) == (tall, wide):
            return np.ascontiguousarray(pixels)
        matrix = self.matrix((h, w))
        left, top = matrix[0, 2], matrix[1, 2]
        image = Image.fromarray(np.ascontiguousarray(pixels))
        if self.fit == "letterbox":
            inner = (max(1, round(w * matrix[0, 0])), max(1, round(h * matrix[1, 1])))
            canvas = np.full((tall, wide, 3), self.fill, np.uint8)
            y, x = (tall - inner[1]) // 2, (wide - inner[0]) // 2
            canvas[y : y + inner[1], x : x + inner[0]] = np.asarray(image.resize(inner, Image.Resampling.BILINEAR, reducing_gap=2.0))
            return canvas
        x0, y0 = -left / matrix[0, 0], -top / matrix[1, 1]
        box = (max(0.0, x0), max(0.0, y0), min(float(w), w - x0), min(float(h), h - y0))
        return np.asarray(image.resize((wide, tall), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))

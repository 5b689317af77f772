"""Zoom about the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, about_center, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class Scale(Augmentation):
    """Zoom about the middle.

    Args:
        p: chance per sample, 0..1.
        low: smallest factor, 0.05..20.
        high: largest factor, 0.05..20.
        stretch: largest factor between width and height, 1..4; 1 keeps the shape.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    low: float = setting(0.8, 0.05, 20)
    high: float = setting(1.25, 0.05, 20)
    stretch: float = setting(1.0, 1, 4)
    fill: Beyond = setting("reflect", 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        factor = draw.uniform(math.log(self.low), math.log(self.high)).exp()
        side = (draw.uniform(-1, 1) * (math.log(self.stretch) / 2)).exp()
        return about_center(affine(a=factor * side, d=factor / side), size)

"""Turn about the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, about_center, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Turn about the middle.

    Args:
        p: chance per sample, 0..1.
        degrees: largest angle, either way, 0..180.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    degrees: float = setting(15.0, 0, 180)
    fill: Beyond = setting("reflect", 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        angle = draw.uniform(-self.degrees, self.degrees) * (math.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        return about_center(affine(a=cos, b=-sin, c=sin, d=cos), size)

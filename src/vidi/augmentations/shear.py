"""Slant about the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, about_center, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class Shear(Augmentation):
    """Slant along x or y about the middle.

    Args:
        p: chance per sample, 0..1.
        degrees: largest slant, either way, 0..80.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    degrees: float = setting(10.0, 0, 80)
    fill: Beyond = setting("reflect", 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        slant = (draw.uniform(-self.degrees, self.degrees) * (math.pi / 180)).tan()
        along_x = draw.chance(0.5)
        return about_center(affine(b=slant * along_x, c=slant * ~along_x), size)

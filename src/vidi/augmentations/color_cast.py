"""A tint, as under lamps of another color."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import color


@dataclass(frozen=True)
class ColorCast(Augmentation):
    """A tint, as under lamps of another color or a wrong white balance: each channel has its own factor.

    Args:
        p: chance per sample, 0..1.
        strength: largest factor between a channel and the mean of all, minus one, 0..2.
    """

    p: float = setting(0.5, 0, 1)
    strength: float = setting(0.2, 0, 2)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        reach = math.log1p(self.strength)
        powers = draw.uniform(-reach, reach, 3)
        return color.gain(images, (powers - powers.mean(1, keepdim=True)).exp())

"""Lighter or darker midtones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import color


@dataclass(frozen=True)
class Gamma(Augmentation):
    """Lighter or darker midtones, while black and white stay: values to the power of an exponent.

    Args:
        p: chance per sample, 0..1.
        strength: the exponent lies between 1 / (1 + this) and 1 + this, 0..4.
    """

    strength: float = setting(0.5, 0, 4)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        reach = math.log1p(self.strength)
        return color.gamma(images, draw.uniform(-reach, reach).exp())

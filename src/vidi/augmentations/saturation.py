"""More or less colorful."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import color


@dataclass(frozen=True)
class Saturation(Augmentation):
    """More or less colorful: distances to the pixel's own gray times a factor.

    Args:
        p: chance per sample, 0..1.
        strength: the factor lies in 1 ± this, 0..1.
    """

    strength: float = setting(0.3, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return color.saturation(images, draw.uniform(1 - self.strength, 1 + self.strength))

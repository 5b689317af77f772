"""Other hues."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import color


@dataclass(frozen=True)
class Hue(Augmentation):
    """Other hues: all colors turn along the color circle.

    Args:
        p: chance per sample, 0..1.
        strength: largest turn, either way, as a share of the circle, 0..0.5.
    """

    strength: float = setting(0.05, 0, 0.5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return color.hue(images, draw.uniform(-self.strength, self.strength))

"""Fewer pixels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.damage import pixelated


@dataclass(frozen=True)
class Pixelate(Augmentation):
    """Fewer pixels: shrunk by averaging, then enlarged again in blocks, as of a camera of lower resolution or a thing far away.

    Args:
        p: chance per sample, 0..1.
        low: smallest share of each side's pixels that is left, 0.01..1.
        high: largest share, 0.01..1.
    """

    p: float = setting(0.3, 0, 1)
    low: float = setting(0.3, 0.01, 1)
    high: float = setting(0.9, 0.01, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return pixelated(images, draw.uniform(self.low, self.high))

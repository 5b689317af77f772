"""Marks of JPEG compression."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.jpeg import jpeg


@dataclass(frozen=True)
class Jpeg(Augmentation):
    """Marks of JPEG compression (8×8 blocks, coarse color).

    Args:
        p: chance per sample, 0..1.
        low: lowest quality, 1..100.
        high: highest quality, 1..100.
    """

    p: float = setting(0.5, 0, 1)
    low: int = setting(30, 1, 100)
    high: int = setting(95, 1, 100)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return jpeg(images, (draw.integers(self.high - self.low + 1) + self.low).float())

"""Noise in proportion to brightness, as of lasers, radar and ultrasound."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import noise


@dataclass(frozen=True)
class SpeckleNoise(Augmentation):
    """Noise in proportion to brightness, as of lasers, radar and ultrasound.

    Args:
        p: chance per sample, 0..1.
        std: largest standard deviation as a share of the value, 0..2.
    """

    p: float = setting(0.5, 0, 1)
    std: float = setting(0.2, 0, 2)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return noise.speckle(images, draw.uniform(0, self.std), draw.normal(*images.shape[1:]))

"""Photon noise of low light."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import noise


@dataclass(frozen=True)
class ShotNoise(Augmentation):
    """Photon noise of low light: it grows with the root of brightness.

    Args:
        p: chance per sample, 0..1.
        low: fewest photons that a white pixel counts, 1..1000000.
        high: most photons, 1..1000000; drawn evenly in the logarithm.
    """

    p: float = setting(0.5, 0, 1)
    low: float = setting(30.0, 1, 1e6)
    high: float = setting(500.0, 1, 1e6)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        photons = draw.uniform(math.log(self.low), math.log(self.high)).exp()
        return noise.shot(images, photons, draw.normal(*images.shape[1:]))

"""Electronic noise of a sensor."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import noise


@dataclass(frozen=True)
class GaussianNoise(Augmentation):
    """Electronic noise of a sensor: normal, equal everywhere.

    Args:
        p: chance per sample, 0..1.
        std: largest standard deviation in units of the value range, 0..1.
    """

    p: float = setting(0.5, 0, 1)
    std: float = setting(0.08, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return noise.gaussian(images, draw.uniform(0, self.std), draw.normal(*images.shape[1:]))

"""Electronic noise of a sensor, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops import noise
from vidi.ops.warp import size_of

FAMILY = "noise"
MEANING = "normal noise, equal everywhere"
REMEDY = ("gaussian_noise(std=0.15, p=0.5)",)


@dataclass(frozen=True)
class GaussianNoise(Level):
    SMALL: ClassVar = column(0.04, 0.06, 0.08, 0.09, 0.1)
    LARGE: ClassVar = column(0.08, 0.12, 0.18, 0.26, 0.38)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (std,) = self.values(draw, size_of(images))
        return noise.gaussian(images, std, draw.normal(*images.shape[1:]))


def levels() -> tuple[Augmentation, ...]:
    return pinned(GaussianNoise)

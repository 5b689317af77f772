"""Noise in proportion to brightness, with the strengths of ImageNet-C and CIFAR-10-C."""

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
MEANING = "noise in proportion to brightness"
REMEDY = ("speckle_noise(std=0.3, p=0.5)",)


@dataclass(frozen=True)
class SpeckleNoise(Level):
    SMALL: ClassVar = column(0.06, 0.1, 0.12, 0.16, 0.2)
    LARGE: ClassVar = column(0.15, 0.2, 0.35, 0.45, 0.6)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (std,) = self.values(draw, size_of(images))
        return noise.speckle(images, std, draw.normal(*images.shape[1:]))


def levels() -> tuple[Augmentation, ...]:
    return pinned(SpeckleNoise)

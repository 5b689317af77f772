"""Photon noise of low light, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.damage import counted
from vidi.ops.warp import size_of

FAMILY = "noise"
MEANING = "few photons: noise that grows with the root of brightness"
REMEDY = ("shot_noise(low=10, high=500, p=0.5)",)


@dataclass(frozen=True)
class ShotNoise(Level):
    SMALL: ClassVar = column(500, 250, 100, 75, 50)
    LARGE: ClassVar = column(60, 25, 12, 5, 3)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (photons,) = self.values(draw, size_of(images))
        return counted(images, photons, draw.uniform(0, 1, *images.shape[1:]), draw.normal(*images.shape[1:]))


def levels() -> tuple[Augmentation, ...]:
    return pinned(ShotNoise)

"""Fewer pixels, with the shares of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.damage import pixelated
from vidi.ops.warp import size_of

FAMILY = "resolution"
MEANING = "fewer pixels, enlarged again"
REMEDY = ("pixelate(low=0.4, high=0.95, p=0.3)",)


@dataclass(frozen=True)
class Pixelate(Level):
    SMALL: ClassVar = column(0.95, 0.9, 0.85, 0.75, 0.65)
    LARGE: ClassVar = column(0.6, 0.5, 0.4, 0.3, 0.25)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (share,) = self.values(draw, size_of(images))
        return pixelated(images, share)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Pixelate)

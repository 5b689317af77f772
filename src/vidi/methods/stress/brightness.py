"""Brighter, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.damage import lit
from vidi.ops.warp import size_of

FAMILY = "illumination"
MEANING = "an amount is added to all light"
REMEDY = ("brightness(strength=0.4, p=0.5)",)


@dataclass(frozen=True)
class Brightness(Level):
    SMALL: ClassVar = column(0.05, 0.1, 0.15, 0.2, 0.3)
    LARGE: ClassVar = column(0.1, 0.2, 0.3, 0.4, 0.5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (amount,) = self.values(draw, size_of(images))
        return lit(images, amount)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Brightness)

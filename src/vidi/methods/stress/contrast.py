"""Loss of contrast, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.damage import flattened
from vidi.ops.warp import size_of

FAMILY = "illumination"
MEANING = "distances to the mean shrink"
REMEDY = ("contrast(strength=0.7, p=0.5)",)


@dataclass(frozen=True)
class Contrast(Level):
    SMALL: ClassVar = column(0.75, 0.5, 0.4, 0.3, 0.15)
    LARGE: ClassVar = column(0.4, 0.3, 0.2, 0.1, 0.05)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (factor,) = self.values(draw, size_of(images))
        return flattened(images, factor)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Contrast)

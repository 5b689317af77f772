"""JPEG compression, with the qualities of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.jpeg import jpeg
from vidi.ops.warp import size_of

FAMILY = "compression"
MEANING = "blocks and lost detail of JPEG"
REMEDY = ("jpeg(low=15, high=90, p=0.5)",)


@dataclass(frozen=True)
class Jpeg(Level):
    SMALL: ClassVar = column(80, 65, 58, 50, 40)
    LARGE: ClassVar = column(25, 18, 15, 10, 7)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (quality,) = self.values(draw, size_of(images))
        return jpeg(images, quality)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Jpeg)

"""Too little or too much color, with the strengths of ImageNet-C and CIFAR-10-C (which go down first, then up)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, pinned
from vidi.ops.damage import saturated
from vidi.ops.warp import size_of

FAMILY = "digital"
MEANING = "colors fade (severity 1, 2) or glare (3 to 5)"
REMEDY = ("saturation(strength=0.8, p=0.5)",)


@dataclass(frozen=True)
class Saturate(Level):
    SMALL: ClassVar = ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))
    LARGE: ClassVar = ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        factor, more = self.values(draw, size_of(images))
        return saturated(images, factor, more)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Saturate)

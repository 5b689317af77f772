"""Too much light: overexposed by 0.3 to 2 stops, with what is above white cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops import color
from vidi.ops.warp import size_of

FAMILY = "illumination"
MEANING = "overexposed by 0.3, 0.6, 1, 1.5 and 2 stops"
REMEDY = ("illumination(exposure=1.5, gradient=0.3, p=0.5)",)


@dataclass(frozen=True)
class Overexposure(Level):
    LARGE: ClassVar = column(0.3, 0.6, 1, 1.5, 2)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (stops,) = self.values(draw, size_of(images))
        return color.brightness(images, stops.exp2())


def levels() -> tuple[Augmentation, ...]:
    return pinned(Overexposure)

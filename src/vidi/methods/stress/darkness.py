"""Less light: underexposed by half a stop to three stops."""

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
MEANING = "underexposed by 0.5, 1, 1.5, 2 and 3 stops"
REMEDY = ("illumination(exposure=1.5, gradient=0.3, p=0.5)",)


@dataclass(frozen=True)
class Darkness(Level):
    LARGE: ClassVar = column(0.5, 1, 1.5, 2, 3)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (stops,) = self.values(draw, size_of(images))
        return color.brightness(images, (-stops).exp2())


def levels() -> tuple[Augmentation, ...]:
    return pinned(Darkness)

"""Midtones too light."""

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
MEANING = "midtones lightened by gamma 1/1.4 to 1/4"
REMEDY = ("gamma(strength=1.0, p=0.5)",)


@dataclass(frozen=True)
class GammaLight(Level):
    LARGE: ClassVar = column(1.4, 1.8, 2.3, 3, 4)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (exponent,) = self.values(draw, size_of(images))
        return color.gamma(images, 1 / exponent)


def levels() -> tuple[Augmentation, ...]:
    return pinned(GammaLight)

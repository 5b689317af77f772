"""Lit from one side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.shapes import slope
from vidi.ops.warp import size_of

FAMILY = "illumination"
MEANING = "one side up to twice as bright, the other as much darker"
REMEDY = ("illumination(gradient=0.8, exposure=0.5, p=0.5)",)


@dataclass(frozen=True)
class OneSidedLight(Level):
    LARGE: ClassVar = column(0.2, 0.4, 0.6, 0.8, 1.0)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (gradient,) = self.values(draw, size)
        light = slope(draw.uniform(-math.pi, math.pi), size)
        return (images * (1 + gradient[:, None, None, None] * light)).clamp_(0, 1)


def levels() -> tuple[Augmentation, ...]:
    return pinned(OneSidedLight)

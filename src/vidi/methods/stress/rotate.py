"""Turned about the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation, about_center, affine
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Moved, column, one_of, pinned

FAMILY = "geometry"
MEANING = "turned by 5, 10, 20, 30 and 45 degrees, either way"
REMEDY = ("rotate(degrees=30, p=0.5)",)


@dataclass(frozen=True)
class Rotate(Moved):
    LARGE: ClassVar = column(5, 10, 20, 30, 45)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        angle = one_of(self.values(draw, size)[0] * (math.pi / 180), draw)
        cos, sin = angle.cos(), angle.sin()
        return about_center(affine(a=cos, b=-sin, c=sin, d=cos), size)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Rotate)

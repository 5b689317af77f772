"""Farther away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation, about_center, affine
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Moved, column, pinned

FAMILY = "geometry"
MEANING = "shrunk to 0.9, 0.8, 0.7, 0.6 and 0.5"
REMEDY = ("scale(low=0.6, high=1.6, p=0.5)",)


@dataclass(frozen=True)
class ScaleDown(Moved):
    LARGE: ClassVar = column(0.9, 0.8, 0.7, 0.6, 0.5)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        (factor,) = self.values(draw, size)
        return about_center(affine(a=factor, d=factor), size)


def levels() -> tuple[Augmentation, ...]:
    return pinned(ScaleDown)

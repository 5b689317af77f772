"""Nearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation, about_center, affine
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Moved, column, pinned

FAMILY = "geometry"
MEANING = "enlarged by 1.1, 1.2, 1.35, 1.5 and 2"
REMEDY = ("scale(low=0.6, high=1.6, p=0.5)",)


@dataclass(frozen=True)
class ScaleUp(Moved):
    LARGE: ClassVar = column(1.1, 1.2, 1.35, 1.5, 2)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        (factor,) = self.values(draw, size)
        return about_center(affine(a=factor, d=factor), size)


def levels() -> tuple[Augmentation, ...]:
    return pinned(ScaleUp)

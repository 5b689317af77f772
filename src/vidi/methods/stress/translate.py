"""Off the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation, translation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Moved, column, pinned

FAMILY = "geometry"
MEANING = "moved by 5, 10, 15, 20 and 30 % of the side, in any direction"
REMEDY = ("translate(share=0.2, p=0.5)",)


@dataclass(frozen=True)
class Translate(Moved):
    LARGE: ClassVar = column(0.05, 0.1, 0.15, 0.2, 0.3)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        (share,) = self.values(draw, size)
        angle = draw.uniform(-math.pi, math.pi)
        return translation((share * angle.cos() * size[1]).round(), (share * angle.sin() * size[0]).round())


def levels() -> tuple[Augmentation, ...]:
    return pinned(Translate)

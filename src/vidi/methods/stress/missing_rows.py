"""Rows of pixels are black."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.damage import lost_rows
from vidi.ops.warp import size_of

FAMILY = "missing"
MEANING = "5, 10, 20, 35 and 50 % of the rows are lost"
REMEDY = ("drop_rows(low=0.05, high=0.3, p=0.3)",)


@dataclass(frozen=True)
class MissingRows(Level):
    LARGE: ClassVar = column(0.05, 0.1, 0.2, 0.35, 0.5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (share,) = self.values(draw, size)
        return images * ~lost_rows(draw.uniform(0, 1, size[0]), share, size)


def levels() -> tuple[Augmentation, ...]:
    return pinned(MissingRows)

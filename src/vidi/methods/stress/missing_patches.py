"""Blocks of pixels are black."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.damage import lost_blocks
from vidi.ops.warp import size_of

FAMILY = "missing"
MEANING = "5, 10, 20, 35 and 50 % of 8×8 blocks are lost"
REMEDY = ("drop_patches(low=0.05, high=0.3, p=0.3)",)


@dataclass(frozen=True)
class MissingPatches(Level):
    LARGE: ClassVar = column(0.05, 0.1, 0.2, 0.35, 0.5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (share,) = self.values(draw, size)
        grid = [min(8, side) for side in size]
        return images * ~lost_blocks(draw.uniform(0, 1, *grid), share, size)


def levels() -> tuple[Augmentation, ...]:
    return pinned(MissingPatches)

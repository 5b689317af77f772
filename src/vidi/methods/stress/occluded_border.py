"""A gray frame around the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.augmentations._fill import GRAY, punched
from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.shapes import rectangles
from vidi.ops.warp import size_of

FAMILY = "occlusion"
MEANING = "the outer 10, 20, 30, 45 and 60 % of the picture are gray"
REMEDY = ("random_resized_crop(low=0.4, p=0.5)",)


@dataclass(frozen=True)
class OccludedBorder(Level):
    LARGE: ClassVar = column(0.1, 0.2, 0.3, 0.45, 0.6)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (share,) = self.values(draw, size)
        tall, wide = (((1 - share).sqrt() * side).round() for side in size)
        x, y = ((size[1] - wide) / 2).floor(), ((size[0] - tall) / 2).floor()
        return punched(images, ~rectangles(x, y, wide, tall, size), GRAY, draw)


def levels() -> tuple[Augmentation, ...]:
    return pinned(OccludedBorder)

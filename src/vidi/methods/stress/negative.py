"""Pictures of another kind: values above a threshold turn into their negative, at severity 5 all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops import color
from vidi.ops.warp import size_of

FAMILY = "outlier"
MEANING = "solarized at 0.9, 0.75, 0.5, 0.25; then the whole negative"
REMEDY = ("solarize(low=0.0, high=0.9, p=0.2)",)


@dataclass(frozen=True)
class Negative(Level):
    LARGE: ClassVar = column(0.9, 0.75, 0.5, 0.25, 0)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (threshold,) = self.values(draw, size_of(images))
        return color.solarize(images, threshold)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Negative)

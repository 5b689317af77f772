"""A color channel fades and is lost; at severity 5 two are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, pinned
from vidi.ops.warp import size_of

FAMILY = "missing"
MEANING = "a channel loses 25, 50, 75, 100 %; then two are lost"
REMEDY = ("drop_channel(low=0.3, p=0.3)",)


@dataclass(frozen=True)
class MissingChannel(Level):
    LARGE: ClassVar = ((0.25, 1), (0.5, 1), (0.75, 1), (1, 1), (1, 2))

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        lost, count = self.values(draw, size_of(images))
        chosen = draw.uniform(0, 1, images.shape[1]).argsort(1).argsort(1) < count[:, None]
        return images * (1 - chosen * lost[:, None])[:, :, None, None]


def levels() -> tuple[Augmentation, ...]:
    return pinned(MissingChannel)

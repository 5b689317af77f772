"""Salt and pepper, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops import noise
from vidi.ops.warp import size_of

FAMILY = "noise"
MEANING = "dead pixels and lost bits: values turn to 0 or 1"
REMEDY = ("impulse_noise(share=0.1, p=0.5)",)


@dataclass(frozen=True)
class ImpulseNoise(Level):
    SMALL: ClassVar = column(0.01, 0.02, 0.03, 0.05, 0.07)
    LARGE: ClassVar = column(0.03, 0.06, 0.09, 0.17, 0.27)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (share,) = self.values(draw, size_of(images))
        return noise.impulse(images, share, draw.uniform(0, 1, *images.shape[1:]))


def levels() -> tuple[Augmentation, ...]:
    return pinned(ImpulseNoise)

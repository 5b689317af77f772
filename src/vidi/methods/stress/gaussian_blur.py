"""A Gaussian blur, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.blur import gaussian_blur
from vidi.ops.severity import length_scale
from vidi.ops.warp import size_of

FAMILY = "blur"
MEANING = "softened evenly"
REMEDY = ("defocus_blur(high=3, p=0.3)",)


@dataclass(frozen=True)
class GaussianBlur(Level):
    SMALL: ClassVar = column(0.4, 0.6, 0.7, 0.8, 1)
    LARGE: ClassVar = column(1, 2, 3, 4, 6)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (sigma,) = self.values(draw, size)
        sigma = sigma * length_scale(size)
        return gaussian_blur(images, sigma, max(1, math.ceil(3 * float(sigma.max()))))


def levels() -> tuple[Augmentation, ...]:
    return pinned(GaussianBlur)

"""A moving camera, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, pinned
from vidi.ops.lens import trailed
from vidi.ops.severity import length_scale
from vidi.ops.warp import size_of

FAMILY = "blur"
MEANING = "moved sideways while the shutter was open"
REMEDY = ("motion_blur(length=8.0, p=0.3)",)


@dataclass(frozen=True)
class MotionBlur(Level):
    SMALL: ClassVar = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))
    LARGE: ClassVar = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        radius, fade = self.values(draw, size)
        scale, angle = length_scale(size), draw.uniform(-math.pi / 4, math.pi / 4)
        return trailed(images, 2 * radius * scale, fade * scale, angle)


def levels() -> tuple[Augmentation, ...]:
    return pinned(MotionBlur)

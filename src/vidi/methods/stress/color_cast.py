"""Light of another color, or a wrong white balance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops import color
from vidi.ops.warp import size_of

FAMILY = "illumination"
MEANING = "a tint of any hue: channels times 1 ± 0.1 to 0.7"
REMEDY = ("color_cast(strength=0.4, p=0.5)",)


@dataclass(frozen=True)
class ColorCast(Level):
    LARGE: ClassVar = column(0.1, 0.2, 0.3, 0.45, 0.7)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (strength,) = self.values(draw, size_of(images))
        hue = draw.uniform(0, 2 * math.pi)[:, None] + torch.arange(3, device=images.device) * (2 * math.pi / 3)
        return color.gain(images, 1 + strength[:, None] * hue.cos())


def levels() -> tuple[Augmentation, ...]:
    return pinned(ColorCast)

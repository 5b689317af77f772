"""A shadow falls on a part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.shapes import polygon
from vidi.ops.warp import size_of

FAMILY = "illumination"
MEANING = "a shadow that takes 30 to 90 % of the light"
REMEDY = ("shadow(strength=0.8, p=0.5)",)


@dataclass(frozen=True)
class Shadow(Level):
    LARGE: ClassVar = column(0.3, 0.45, 0.6, 0.75, 0.9)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (loss,) = self.values(draw, size)
        x, y, angle = draw.uniform(0.25, 0.75), draw.uniform(0.25, 0.75), draw.uniform(0, 2 * math.pi, 1)
        mask = polygon(x, y, angle, torch.zeros_like(angle), torch.full_like(x, 0.1), size)
        return images * (1 - loss[:, None, None, None] * mask)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Shadow)

"""Something of natural texture and irregular shape in front."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Level, column, pinned
from vidi.ops.shapes import blobs
from vidi.ops.texture import natural
from vidi.ops.warp import size_of

FAMILY = "occlusion"
MEANING = "a patch of natural texture over about 10, 20, 30, 45 and 60 % of the picture"
REMEDY = ("occlude(share=0.3, p=0.5)",)


@dataclass(frozen=True)
class OccludedTexture(Level):
    LARGE: ClassVar = column(0.1, 0.2, 0.3, 0.45, 0.6)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        (share,) = self.values(draw, size)
        radius = (share * (size[0] * size[1]) / (math.pi * min(size) ** 2)).sqrt()
        waves = draw.uniform(0, 0.3, 4) / torch.arange(1, 5, device=images.device)
        soft = torch.full_like(radius, 0.02)
        mask = blobs(draw.uniform(0.3, 0.7), draw.uniform(0.3, 0.7), radius, waves, draw.uniform(0, 2 * math.pi, 4), soft, size)
        texture = natural(draw.child("texture").normal(*images.shape[1:]), draw.child("color").uniform)
        return torch.lerp(images, texture, mask)


def levels() -> tuple[Augmentation, ...]:
    return pinned(OccludedTexture)

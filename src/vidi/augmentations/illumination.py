"""Uneven light."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.shapes import slope
from vidi.ops.warp import size_of


@dataclass(frozen=True)
class Illumination(Augmentation):
    """Uneven light: lit from one side, and over- or underexposed as a whole.

    Args:
        p: chance per sample, 0..1.
        gradient: largest gain on the lit side and loss on the other, 0..1.
        exposure: largest over- or underexposure in stops (factors of two), 0..4.
    """

    p: float = setting(0.5, 0, 1)
    gradient: float = setting(0.5, 0, 1)
    exposure: float = setting(0.5, 0, 4)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        light = slope(draw.uniform(-math.pi, math.pi), size_of(images))
        gain = 1 + draw.uniform(0, self.gradient)[:, None, None, None] * light
        stops = draw.uniform(-self.exposure, self.exposure).exp2()[:, None, None, None]
        return (images * (gain * stops)).clamp_(0, 1)

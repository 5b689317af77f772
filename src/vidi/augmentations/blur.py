"""Out of focus."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.blur import gaussian_blur


@dataclass(frozen=True)
class Blur(Augmentation):
    """Out of focus: a Gaussian blur.

    Args:
        p: chance per sample, 0..1.
        sigma: largest standard deviation in pixels, 0..30; the smallest is a tenth of this.
    """

    p: float = setting(0.3, 0, 1)
    sigma: float = setting(1.5, 0, 30)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return gaussian_blur(images, draw.uniform(self.sigma / 10, self.sigma), max(1, math.ceil(3 * self.sigma)))

"""A random part of the picture, stretched to the net's size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class RandomResizedCrop(Augmentation):
    """A random part of the picture, stretched to the net's size ("Inception crop", Szegedy et al. 2015).

    Args:
        p: chance per sample, 0..1; otherwise the whole picture is shown.
        low: smallest part as a share of the picture's area, 0.01..1.
        high: largest part, 0.01..1.
        stretch: largest factor by which the part's shape differs from the picture's, 1..4.
    """

    low: float = setting(0.08, 0.01, 1)
    high: float = setting(1.0, 0.01, 1)
    stretch: float = setting(4 / 3, 1, 4)

    def window(self, draw: Draw, size: tuple[int, int], target: tuple[int, int]) -> Tensor:
        area = draw.uniform(self.low, self.high)
        shape = (draw.uniform(-1, 1) * math.log(self.stretch)).exp()
        wide = (area * shape).sqrt().clamp_max(1)
        tall = (area / shape).sqrt().clamp_max(1)
        left, top = draw.uniform() * (1 - wide), draw.uniform() * (1 - tall)
        (h, w), (new_h, new_w) = size, target
        a, d = new_w / (wide * w), new_h / (tall * h)
        return affine(a=a, d=d, x=-left * w * a, y=-top * h * d)

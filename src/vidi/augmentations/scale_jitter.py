"""Large changes of size, then a window of the net's size anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import GRAY, Beyond
from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class ScaleJitter(Augmentation):
    """The picture resized by a random factor, then a window of the net's size cut from it, or the rest filled up ("large scale jitter",
    Ghiasi et al. 2021, arXiv:2012.07177, with 0.1 to 2; the "standard" one has 0.8 to 1.25).

    Unlike `scale`, which zooms about the middle, every part of the picture comes into view.

    Args:
        p: chance per sample, 0..1; otherwise the whole picture is shown.
        low: smallest factor, 0.05..20.
        high: largest factor, 0.05..20.
        stretch: largest factor between width and height, 1..4; 1 keeps the shape.
        fill: around a small picture: a gray level 0..1, zeros, reflect or border.
    """

    low: float = setting(0.5, 0.05, 20)
    high: float = setting(2.0, 0.05, 20)
    stretch: float = setting(1.0, 1, 4)
    fill: Beyond = setting(GRAY, 0, 1)

    def window(self, draw: Draw, size: tuple[int, int], target: tuple[int, int]) -> Tensor:
        factor = draw.uniform(math.log(self.low), math.log(self.high)).exp()
        side = (draw.uniform(-1, 1) * (math.log(self.stretch) / 2)).exp()
        wide, tall = factor * side, factor / side
        (h, w), (new_h, new_w) = size, target
        left, top = draw.uniform() * (1 - wide), draw.uniform() * (1 - tall)
        return affine(a=wide * (new_w / w), d=tall * (new_h / h), x=left * new_w, y=top * new_h)

"""A rectangle is erased."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Hole, punched
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.shapes import rectangles


@dataclass(frozen=True)
class Erasing(Augmentation):
    """A rectangle is erased ("Random Erasing Data Augmentation", Zhong et al. 2020).

    Args:
        p: chance per sample, 0..1.
        low: smallest rectangle as a share of the picture's area, 0..1.
        high: largest rectangle, 0..1.
        stretch: largest factor between its sides, 1..10.
        fill: mean, noise or a gray level 0..1.
    """

    p: float = setting(0.5, 0, 1)
    low: float = setting(0.02, 0, 1)
    high: float = setting(0.33, 0, 1)
    stretch: float = setting(3.3, 1, 10)
    fill: Hole = setting("noise", 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        h, w = images.shape[-2:]
        area = draw.uniform(self.low, self.high) * (h * w)
        shape = (draw.uniform(-1, 1) * (math.log(self.stretch) / 2)).exp()
        wide = (area.sqrt() * shape).round().clamp(1, w)
        tall = (area.sqrt() / shape).round().clamp(1, h)
        x, y = (draw.uniform() * (w - wide + 1)).floor(), (draw.uniform() * (h - tall + 1)).floor()
        return punched(images, rectangles(x, y, wide, tall, (h, w)), self.fill, draw)

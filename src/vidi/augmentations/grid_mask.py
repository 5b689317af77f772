"""Holes on a regular grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Hole, punched
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.shapes import grid_holes
from vidi.ops.warp import size_of


@dataclass(frozen=True)
class GridMask(Augmentation):
    """Square holes on a regular grid ("GridMask Data Augmentation", Chen et al. 2020).

    Args:
        p: chance per sample, 0..1.
        low: smallest distance between holes as a share of the shorter side, 0.02..1.
        high: largest distance, 0.02..1.
        share: side of a hole as a share of the distance, 0..1.
        degrees: largest turn of the grid, either way, 0..45.
        fill: mean, noise or a gray level 0..1.
    """

    p: float = setting(0.5, 0, 1)
    low: float = setting(0.25, 0.02, 1)
    high: float = setting(0.6, 0.02, 1)
    share: float = setting(0.5, 0, 1)
    degrees: float = setting(45.0, 0, 45)
    fill: Hole = setting("mean", 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        period = draw.uniform(self.low, self.high) * min(size)
        x, y = draw.uniform(), draw.uniform()
        angle = draw.uniform(-self.degrees, self.degrees) * (math.pi / 180)
        holes = grid_holes(period, x * 0 + self.share, x, y, angle, size)
        return punched(images, holes, self.fill, draw)

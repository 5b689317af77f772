"""Rows of pixels are lost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Hole, punched
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.damage import lost_rows
from vidi.ops.warp import size_of


@dataclass(frozen=True)
class DropRows(Augmentation):
    """Rows of pixels are lost, as of a sensor that is read line by line or a stream with gaps.

    Args:
        p: chance per sample, 0..1.
        low: smallest share of the rows, 0..1.
        high: largest share, 0..1.
        fill: mean, noise or a gray level 0..1.
    """

    p: float = setting(0.1, 0, 1)
    low: float = setting(0.05, 0, 1)
    high: float = setting(0.4, 0, 1)
    fill: Hole = setting(0.0, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        rows = lost_rows(draw.uniform(0, 1, size[0]), draw.uniform(self.low, self.high), size)
        return punched(images, rows.expand(-1, 1, *size), self.fill, draw)

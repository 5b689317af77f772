"""Blocks of pixels are lost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Hole, punched
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.damage import lost_blocks
from vidi.ops.warp import size_of


@dataclass(frozen=True)
class DropPatches(Augmentation):
    """Blocks of pixels are lost, as of a transmission with lost packets.

    Args:
        p: chance per sample, 0..1.
        low: smallest share of the blocks, 0..1.
        high: largest share, 0..1.
        blocks: along each side, 1..256.
        fill: mean, noise or a gray level 0..1.
    """

    p: float = setting(0.1, 0, 1)
    low: float = setting(0.05, 0, 1)
    high: float = setting(0.4, 0, 1)
    blocks: int = setting(8, 1, 256)
    fill: Hole = setting(0.0, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        grid = [min(self.blocks, side) for side in size]
        return punched(images, lost_blocks(draw.uniform(0, 1, *grid), draw.uniform(self.low, self.high), size), self.fill, draw)

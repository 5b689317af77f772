"""Bend smoothly, like rubber."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.shapes import smooth_field


@dataclass(frozen=True)
class Elastic(Augmentation):
    """Bend smoothly, like rubber, by a random field on a coarse grid (after Simard, Steinkraus and Platt 2003).

    Class maps, masks and outlines are bent with the picture, and boxes that fit them; boxes alone stay, so keep `share` small for those.

    Args:
        p: chance per sample, 0..1.
        share: largest displacement as a share of the shorter side, 0..0.5.
        cells: points of the grid along each side, 2..64; more of them bend more finely.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    p: float = setting(0.5, 0, 1)
    share: float = setting(0.04, 0, 0.5)
    cells: int = setting(5, 2, 64)
    fill: Beyond = setting("reflect", 0, 1)

    def displacement(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        reach = self.share * min(size)
        return smooth_field(draw.uniform(-reach, reach, 2, self.cells, self.cells), size)

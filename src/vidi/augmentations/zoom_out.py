"""The picture small on a larger ground."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import GRAY, Beyond
from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class ZoomOut(Augmentation):
    """The picture small somewhere on a larger ground, for small things (SSD's "expand", Liu et al. 2016, arXiv:1512.02325).

    Args:
        p: chance per sample, 0..1; otherwise the whole picture is shown.
        low: smallest side of the ground, in sides of the picture, 1..16.
        high: largest side, 1..16.
        fill: the ground: a gray level 0..1, zeros, reflect or border.
    """

    p: float = setting(0.5, 0, 1)
    low: float = setting(1.0, 1, 16)
    high: float = setting(4.0, 1, 16)
    fill: Beyond = setting(GRAY, 0, 1)

    def window(self, draw: Draw, size: tuple[int, int], target: tuple[int, int]) -> Tensor:
        share = 1 / draw.uniform(self.low, self.high)
        (h, w), (new_h, new_w) = size, target
        left, top = draw.uniform() * (1 - share), draw.uniform() * (1 - share)
        return affine(a=share * (new_w / w), d=share * (new_h / h), x=left * new_w, y=top * new_h)

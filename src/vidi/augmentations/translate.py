"""Shift."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, setting, translation
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class Translate(Augmentation):
    """Shift along both axes.

    Args:
        p: chance per sample, 0..1.
        share: largest shift as a share of the picture's side, 0..1.
        whole: shift by whole pixels, which blurs nothing.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    share: float = setting(0.1, 0, 1)
    whole: bool = True
    fill: Beyond = setting("reflect", 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        x, y = (draw.uniform(-self.share, self.share) * side for side in (size[1], size[0]))
        return translation(x.round(), y.round()) if self.whole else translation(x, y)

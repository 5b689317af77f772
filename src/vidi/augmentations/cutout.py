"""A square is cut out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Hole, punched
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.shapes import rectangles


@dataclass(frozen=True)
class Cutout(Augmentation):
    """A square is cut out, its middle anywhere in the picture (DeVries and Taylor 2017).

    Args:
        p: chance per sample, 0..1.
        size: its side: pixels, or below 1 a share of the picture's shorter side, 0..4096.
        fill: mean, noise or a gray level 0..1.
    """

    size: float = setting(0.25, 0, 4096)
    fill: Hole = setting("mean", 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        h, w = images.shape[-2:]
        side = max(1, round(self.size * min(h, w) if self.size < 1 else self.size))
        x, y = draw.integers(w) - side // 2, draw.integers(h) - side // 2
        return punched(images, rectangles(x, y, x * 0 + side, y * 0 + side, (h, w)), self.fill, draw)

"""Out of focus, as by a lens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.lens import defocused
from vidi.ops.severity import graded, length_scale
from vidi.ops.warp import size_of

SMALL = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))
LARGE = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))


@dataclass(frozen=True)
class DefocusBlur(Augmentation):
    """Out of focus, as by a lens: a point becomes an even disk (Hendrycks and Dietterich 2019, arXiv:1903.12261).

    Args:
        p: chance per sample, 0..1.
        low: lowest severity, 1..5: the parameters of ImageNet-C, or of CIFAR-10-C for sides up to 64 pixels.
        high: highest severity, 1..5.
    """

    p: float = setting(0.3, 0, 1)
    low: float = setting(1.0, 1, 5)
    high: float = setting(3.0, 1, 5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        radius, alias = graded(draw.uniform(self.low, self.high), size, SMALL, LARGE)
        return defocused(images, radius * length_scale(size), alias)

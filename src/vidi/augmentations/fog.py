"""Fog."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.severity import graded
from vidi.ops.texture import plasma
from vidi.ops.warp import size_of
from vidi.ops.weather import fogged

SMALL = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))
LARGE = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))


@dataclass(frozen=True)
class Fog(Augmentation):
    """Fog: fractal clouds before the picture (Hendrycks and Dietterich 2019, arXiv:1903.12261).

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
        amount, decay = graded(draw.uniform(self.low, self.high), size, SMALL, LARGE)
        return fogged(images, plasma(draw.uniform, size, decay), amount)

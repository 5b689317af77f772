"""Frost on the lens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.severity import graded
from vidi.ops.texture import ice
from vidi.ops.warp import size_of
from vidi.ops.weather import frosted

SMALL = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
LARGE = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))


@dataclass(frozen=True)
class Frost(Augmentation):
    """Frost on the lens: ice crystals that grow from a corner, blended as in ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261),
    where they come from photographs; here they are drawn by chance.

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
        light, amount = graded(draw.uniform(self.low, self.high), size, SMALL, LARGE)
        return frosted(images, ice(draw.uniform, size), light, amount)

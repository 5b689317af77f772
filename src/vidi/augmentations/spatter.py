"""Drops of water or splashes of mud on the lens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.severity import graded, length_scale
from vidi.ops.warp import size_of
from vidi.ops.weather import spattered

SMALL = (
    (0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.8, 0.7, 0.5, 0), (0.65, 0.3, 1, 0.69, 0.5, 0), (0.65, 0.1, 0.7, 0.69, 0.6, 1),
    (0.65, 0.1, 0.5, 0.68, 0.6, 1),
)  # fmt: skip
LARGE = (
    (0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0), (0.65, 0.3, 1, 0.65, 1.5, 1),
    (0.67, 0.4, 1, 0.65, 1.5, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Spatter(Augmentation):
    """Drops of water (lower severities) or splashes of mud (higher ones) on the lens, after ImageNet-C (Hendrycks and Dietterich 2019,
    arXiv:1903.12261).

    Args:
        p: chance per sample, 0..1.
        low: lowest severity, 1..5: the parameters of ImageNet-C, or of CIFAR-10-C for sides up to 64 pixels.
        high: highest severity, 1..5.
    """

    p: float = setting(0.3, 0, 1)
    low: float = setting(1.0, 1, 5)
    high: float = setting(5.0, 1, 5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        mean, spread, sigma, least, strength, mud = graded(draw.uniform(self.low, self.high), size, SMALL, LARGE)
        return spattered(images, draw.normal(1, *size), mean, spread, sigma, least, strength, mud, length_scale(size))

"""Falling snow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.severity import graded, length_scale
from vidi.ops.warp import size_of
from vidi.ops.weather import snowed

SMALL = (
    (0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9), (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
)  # fmt: skip
LARGE = (
    (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)  # fmt: skip


@dataclass(frozen=True)
class Snow(Augmentation):
    """Falling snow, which also whitens the picture (Hendrycks and Dietterich 2019, arXiv:1903.12261).

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
        mean, spread, zoom, least, radius, fade, clear = graded(draw.uniform(self.low, self.high), size, SMALL, LARGE)
        scale = length_scale(size)
        angle = draw.uniform(math.pi / 4, math.pi * 3 / 4)
        return snowed(images, draw.normal(1, *size), angle, mean, spread, zoom * scale, least, 2 * radius * scale, fade * scale, clear)

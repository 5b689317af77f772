"""Seen through frosted glass."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.blur import gaussian_blur
from vidi.ops.lens import shuffled
from vidi.ops.severity import graded, length_scale
from vidi.ops.warp import size_of

SMALL = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
LARGE = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))


@dataclass(frozen=True)
class GlassBlur(Augmentation):
    """Seen through frosted glass: blurred, pixels shuffled with their neighbors, blurred again (Hendrycks and Dietterich 2019,
    arXiv:1903.12261).

    Where the published one swaps pixels one after the other, here all take a random neighbor's value at once.

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
        sigma, delta, times = graded(draw.uniform(self.low, self.high), size, SMALL, LARGE)
        scale = length_scale(size)
        sigma, reach, times = sigma * scale, (delta + 0.5) * scale, times.round()
        radius = max(1, math.ceil(4 * float(sigma.max())))
        out = gaussian_blur(images, sigma, radius)
        for turn in range(int(times.max())):
            shift = draw.uniform(-1, 1, 2, *size) * (reach * (turn < times))[:, None, None, None]
            out = shuffled(out, shift[:, 0], shift[:, 1])
        return gaussian_blur(out, sigma, radius).clamp_(0, 1)

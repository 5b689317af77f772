"""Rain."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.severity import graded
from vidi.ops.warp import size_of
from vidi.ops.weather import rained

LEVELS = ((0.02, 0.06, 0.35, 0.05), (0.04, 0.08, 0.45, 0.12), (0.08, 0.1, 0.5, 0.2), (0.13, 0.12, 0.55, 0.3), (0.2, 0.14, 0.6, 0.4))
"""Share of the picture under streaks, their length as a share of its shorter side, their light, and how far the picture is grayed."""


@dataclass(frozen=True)
class Rain(Augmentation):
    """Rain: bright streaks of one direction before a grayed picture. It is not among the published corruptions; the strengths are our own.

    Args:
        p: chance per sample, 0..1.
        low: lowest severity, 1..5.
        high: highest severity, 1..5.
    """

    p: float = setting(0.3, 0, 1)
    low: float = setting(1.0, 1, 5)
    high: float = setting(3.0, 1, 5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        size = size_of(images)
        density, length, bright, veil = graded(draw.uniform(self.low, self.high), size, LEVELS, LEVELS)
        angle = draw.uniform(math.radians(65), math.radians(115))
        return rained(images, draw.uniform(0, 1, 1, *size), angle, density, (length * min(size)).clamp_min(2), bright, veil)

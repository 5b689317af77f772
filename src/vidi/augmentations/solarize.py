"""Bright values turn into their negative."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import color


@dataclass(frozen=True)
class Solarize(Augmentation):
    """Bright values turn into their negative; at a threshold of 0 all of them do.

    Args:
        p: chance per sample, 0..1.
        low: lowest threshold, 0..1.
        high: highest threshold, 0..1.
    """

    p: float = setting(0.1, 0, 1)
    low: float = setting(0.0, 0, 1)
    high: float = setting(0.9, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return color.solarize(images, draw.uniform(self.low, self.high))

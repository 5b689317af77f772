"""Mirror left and right."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class HorizontalFlip(Augmentation):
    """Mirror left and right.

    Args:
        p: chance per sample, 0..1.
    """

    p: float = setting(0.5, 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        one = draw.uniform(1, 1)
        return affine(a=-one, x=one * size[1])

"""Mirror top and bottom."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class VerticalFlip(Augmentation):
    """Mirror top and bottom.

    Args:
        p: chance per sample, 0..1.
    """

    p: float = setting(0.5, 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        one = draw.uniform(1, 1)
        return affine(d=-one, y=one * size[0])

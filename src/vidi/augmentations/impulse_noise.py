"""Salt and pepper, as of dead pixels and lost bits."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops import noise


@dataclass(frozen=True)
class ImpulseNoise(Augmentation):
    """Salt and pepper, as of dead pixels and lost bits: some values turn to 0 or 1.

    Args:
        p: chance per sample, 0..1.
        share: largest share of values that turn, 0..1.
    """

    p: float = setting(0.5, 0, 1)
    share: float = setting(0.05, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return noise.impulse(images, draw.uniform(0, self.share), draw.uniform(0, 1, *images.shape[1:]))

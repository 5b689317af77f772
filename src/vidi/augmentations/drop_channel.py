"""A color channel is lost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class DropChannel(Augmentation):
    """A color channel fades or is lost, as of a broken sensor or cable.

    Args:
        p: chance per sample, 0..1.
        low: smallest share of the channel that is lost, 0..1.
        high: largest share, 0..1.
        count: how many channels, 1..3.
    """

    p: float = setting(0.1, 0, 1)
    low: float = setting(1.0, 0, 1)
    high: float = setting(1.0, 0, 1)
    count: int = setting(1, 1, 3)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        chosen = draw.uniform(0, 1, images.shape[1]).argsort(1).argsort(1) < self.count
        return images * (1 - chosen * draw.uniform(self.low, self.high)[:, None])[:, :, None, None]

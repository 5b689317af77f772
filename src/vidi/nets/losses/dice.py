"""Dice loss: 1 − Dice's coefficient of each class that is in the picture.

Design: Milletari et al. 2016, *V-Net*, arXiv:1606.04797, with plain instead of squared sums in the denominator.
"""

from __future__ import annotations

from torch import Tensor

from vidi.nets.losses._base import PixelLoss, View, in_range
from vidi.ops.pixel_loss import class_mean, tversky_index


class Dice(PixelLoss):
    """The mean over the classes of a picture; see `loss` for the settings."""

    def __init__(self, smooth: float):
        super().__init__()
        self.smooth = in_range("smooth", smooth, 0)

    def forward(self, view: View) -> Tensor:
        index, present = tversky_index(view.probabilities, view.truth, smooth=self.smooth / 2)
        return class_mean(1 - index, present)


def loss(*, smooth: float = 1.0) -> Dice:
    """The loss.

    Args:
        smooth: pixels added to numerator and denominator of 2·|A∩B| / (|A| + |B|).
    """
    return Dice(smooth)

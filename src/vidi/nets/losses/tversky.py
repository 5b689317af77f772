"""Tversky loss, and focal Tversky with another exponent.

Design: Salehi et al. 2017, arXiv:1706.05721; Abraham and Khan 2019, arXiv:1810.07842 (their gamma is one over ours).
"""

from __future__ import annotations

from torch import Tensor

from vidi.nets.losses._base import PixelLoss, View, in_range
from vidi.ops.pixel_loss import SMALL, class_mean, tversky_index


class Tversky(PixelLoss):
    """(1 − index)^power, the mean over the classes of a picture; see `loss` for the settings."""

    def __init__(self, false_positive: float, false_negative: float, power: float, smooth: float):
        super().__init__()
        self.costs = in_range("false_positive", false_positive, 0), in_range("false_negative", false_negative, 0)
        self.power, self.smooth = in_range("power", power, 0.1, 10), in_range("smooth", smooth, 0)

    def forward(self, view: View) -> Tensor:
        index, present = tversky_index(view.probabilities, view.truth, *self.costs, self.smooth)
        lost = 1 - index
        return class_mean(lost if self.power == 1 else lost.clamp_min(SMALL) ** self.power, present)


def loss(*, false_positive: float = 0.3, false_negative: float = 0.7, power: float = 1.0, smooth: float = 1.0) -> Tversky:
    """The loss.

    Args:
        false_positive, false_negative: what a wrongly found and a missed pixel cost; the defaults favor finding small things.
        power: exponent; 0.75 is focal Tversky with the paper's gamma of 4/3.
        smooth: pixels added to numerator and denominator.
    """
    return Tversky(false_positive, false_negative, power, smooth)

"""Focal Dice loss: classes that overlap badly weigh more.

Design: Wang and Chung 2018, *Focal Dice Loss and Image Dilation for Brain Tumor Segmentation*, doi:10.1007/978-3-030-00889-5_14.
"""

from __future__ import annotations

from torch import Tensor

from vidi.nets.losses._base import PixelLoss, View, in_range
from vidi.ops.pixel_loss import SMALL, class_mean, tversky_index


class FocalDice(PixelLoss):
    """1 − Dice^(1/beta), the mean over the classes of a picture; see `loss` for the settings."""

    def __init__(self, beta: float, smooth: float):
        super().__init__()
        self.beta, self.smooth = in_range("beta", beta, 1, 10), in_range("smooth", smooth, 0)

    def forward(self, view: View) -> Tensor:
        index, present = tversky_index(view.probabilities, view.truth, smooth=self.smooth / 2)
        return class_mean(1 - index.clamp_min(SMALL) ** (1 / self.beta), present)


def loss(*, beta: float = 2.0, smooth: float = 1.0) -> FocalDice:
    """The loss.

    Args:
        beta: 1 or more; how much steeper the loss is for badly than for well found classes. 1: Dice loss.
        smooth: pixels added to numerator and denominator of Dice's coefficient.
    """
    return FocalDice(beta, smooth)

"""Focal loss of every pixel (Lin et al. 2017, arXiv:1708.02002)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from vidi.nets.losses._base import View, Weighted, in_range
from vidi.ops.pixel_loss import focal, picture_mean


class Focal(Weighted):
    """The mean over a picture's known pixels; see `loss` for the settings."""

    def __init__(self, gamma: float, weights: Any):
        super().__init__(weights)
        self.gamma = in_range("gamma", gamma, 0)

    def forward(self, view: View) -> Tensor:
        return picture_mean(focal(view.logs, view.truth, self.gamma, self.weights), view.truth)


def loss(*, gamma: float = 2.0, weights: Any = None) -> Focal:
    """The loss.

    Args:
        gamma: how strongly easy pixels are left out; 0: cross-entropy.
        weights: of the classes, see `Weighted`.
    """
    return Focal(gamma, weights)

"""Lovász-softmax: a surrogate of the IoU of each class that is in the picture (Berman et al. 2018, arXiv:1705.08790)."""

from __future__ import annotations

from torch import Tensor

from vidi.nets.losses._base import PixelLoss, View
from vidi.ops.pixel_loss import lovasz_softmax


class Lovasz(PixelLoss):
    """The mean over the classes of a picture."""

    def forward(self, view: View) -> Tensor:
        return lovasz_softmax(view.probabilities, view.truth)


def loss() -> Lovasz:
    """The loss."""
    return Lovasz()

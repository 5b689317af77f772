"""Cross-entropy of the hard pixels only: online hard example mining.

Design: Shrivastava et al. 2016, arXiv:1604.03540, for pixels as in Wu et al. 2016, arXiv:1605.06885.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from vidi.nets.losses._base import View, Weighted, in_range
from vidi.ops.pixel_loss import cross_entropy, hardest


class Ohem(Weighted):
    """The mean over a picture's hard pixels; see `loss` for the settings."""

    def __init__(self, threshold: float, least: float, weights: Any):
        super().__init__(weights)
        self.threshold, self.least = in_range("threshold", threshold, 0, 1), in_range("least", least, 0, 1)

    def forward(self, view: View) -> Tensor:
        return hardest(cross_entropy(view.logs, view.truth, self.weights), view.truth, self.threshold, self.least)


def loss(*, threshold: float = 0.7, least: float = 0.0625, weights: Any = None) -> Ohem:
    """The loss.

    Args:
        threshold: a pixel is hard where the probability of its class is below this, 0..1.
        least: share of a picture's known pixels that are kept at least, 0..1.
        weights: of the classes, see `Weighted`; a heavy class is hard sooner.
    """
    return Ohem(threshold, least, weights)

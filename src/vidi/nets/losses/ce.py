"""Cross-entropy of every pixel."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from vidi.nets.losses._base import View, Weighted
from vidi.ops.pixel_loss import cross_entropy, picture_mean


class CrossEntropy(Weighted):
    """The mean over a picture's known pixels; see `loss` for the settings."""

    def forward(self, view: View) -> Tensor:
        return picture_mean(cross_entropy(view.logs, view.truth, self.weights), view.truth)


def loss(*, weights: Any = None) -> CrossEntropy:
    """The loss.

    Args:
        weights: of the classes, see `Weighted`.
    """
    return CrossEntropy(weights)

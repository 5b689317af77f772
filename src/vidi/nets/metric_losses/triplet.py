"""Batch-hard triplet loss: the farthest of the same identity must be nearer than the nearest of another."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vidi.nets.metric_losses._base import MetricLoss, in_range, mates


class Triplet(MetricLoss):
    """max(0, margin + farthest positive − nearest negative) by Euclidean distance of unit vectors, 0..2, for each sample that has
    both (Hermans, Beyer and Leibe 2017, arXiv:1703.07737).

    Args:
        margin: how much nearer, 0..2; None: the soft margin log(1 + exp(positive − negative)).
    """

    def __init__(self, margin: float | None):
        super().__init__()
        if margin is not None:
            in_range("margin", margin, 0, 2)
        self.margin = margin

    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> Tensor:
        positive, negative = mates(identity)
        distance = (2 - 2 * vectors @ vectors.T).clamp_min(1e-8).sqrt()  # the root's slope at 0 has no bound
        farthest = distance.masked_fill(~positive, -1.0).amax(1)
        nearest = distance.masked_fill(~negative, 4.0).amin(1)
        gap = farthest - nearest
        parts = F.softplus(gap) if self.margin is None else (gap + self.margin).clamp_min(0)
        return torch.where(positive.any(1) & negative.any(1), parts, 0.0)


def loss(dim: int, classes: int, *, margin: float | None = 0.3) -> Triplet:
    """See `Triplet`."""
    return Triplet(margin)

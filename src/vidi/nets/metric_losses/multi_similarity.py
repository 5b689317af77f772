"""Multi-Similarity: positives that are too far and negatives that are too near, weighed against each other, after mining."""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.nets.metric_losses._base import MetricLoss, in_range, mates, soft_count


class MultiSimilarity(MetricLoss):
    """log(1 + Σ exp(−alpha (cosine − base))) / alpha over kept positives plus log(1 + Σ exp(beta (cosine − base))) / beta over kept
    negatives, for each sample that keeps both (Wang et al. 2019, arXiv:1904.06627).

    A positive is kept if it is less alike than the most alike negative plus `slack`, a negative if it is more alike than the least
    alike positive minus `slack`.

    Args:
        alpha, beta: weights of hard positives and negatives, over 0.
        base: the cosine that separates them, −1..1.
        slack: of mining, the paper's ε.
    """

    def __init__(self, alpha: float, beta: float, base: float, slack: float):
        super().__init__()
        in_range("alpha", alpha, 0)
        in_range("beta", beta, 0)
        in_range("base", base, -1, 1, closed=True)
        self.alpha, self.beta, self.base, self.slack = alpha, beta, base, slack

    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> Tensor:
        positive, negative = mates(identity)
        cosine = vectors @ vectors.T
        seen = cosine.detach()
        nearest = seen.masked_fill(~negative, -torch.inf).amax(1, keepdim=True)
        farthest = seen.masked_fill(~positive, torch.inf).amin(1, keepdim=True)
        pull, push = positive & (seen < nearest + self.slack), negative & (seen > farthest - self.slack)
        gap = cosine - self.base
        parts = soft_count(-self.alpha * gap, pull, 1) / self.alpha + soft_count(self.beta * gap, push, 1) / self.beta
        return torch.where(pull.any(1) & push.any(1), parts, 0.0)


def loss(dim: int, classes: int, *, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5, slack: float = 0.1) -> MultiSimilarity:
    """See `MultiSimilarity`."""
    return MultiSimilarity(alpha, beta, base, slack)

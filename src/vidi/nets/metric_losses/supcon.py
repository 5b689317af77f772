"""Supervised contrastive loss: each sample's mates against all others of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.nets.metric_losses._base import ABSENT, MetricLoss, in_range, mates


class SupCon(MetricLoss):
    """−mean over a sample's positives of the log share that each has in Σ exp(cosine / temperature) over all others of the batch
    (Khosla et al. 2020, arXiv:2004.11362, the loss "out").

    Args:
        temperature: over 0.
    """

    def __init__(self, temperature: float):
        super().__init__()
        in_range("temperature", temperature, 0)
        self.temperature = temperature

    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> Tensor:
        positive, negative = mates(identity)
        logits = vectors @ vectors.T / self.temperature
        shares = logits - logits.masked_fill(~(positive | negative), ABSENT).logsumexp(1, keepdim=True)
        count = positive.sum(1)
        return torch.where(count > 0, -torch.where(positive, shares, 0.0).sum(1) / count.clamp_min(1), 0.0)


def loss(dim: int, classes: int, *, temperature: float = 0.1) -> SupCon:
    """See `SupCon`."""
    return SupCon(temperature)

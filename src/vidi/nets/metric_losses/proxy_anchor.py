"""Proxy-Anchor: each class's proxy pulls the batch's samples of its class and pushes all others, hard ones more."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vidi.nets.metric_losses._base import ABSENT, MetricLoss, in_range, proxies, soft_count


class ProxyAnchor(MetricLoss):
    """The mean over classes in the batch of log(1 + Σ exp(−alpha (cosine − margin))) over samples of the class, plus the mean over all
    classes of log(1 + Σ exp(alpha (cosine + margin))) over the others (Kim et al. 2020, arXiv:2003.13911, equation 4).

    The paper's loss is a sum over proxies; here each proxy's term is shared out among the samples it sums over, by how much they
    pull on it, so that the mean over the batch is the paper's number with the paper's gradient.

    Args:
        dim, classes: D and C.
        margin: 0..1.
        alpha: how much harder samples weigh more, over 0.
    """

    def __init__(self, dim: int, classes: int, margin: float, alpha: float):
        super().__init__()
        in_range("margin", margin, 0, 1, closed=True)
        in_range("alpha", alpha, 0)
        self.margin, self.alpha = margin, alpha
        self.proxies = proxies(dim, classes)

    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> Tensor:
        cosine = vectors @ F.normalize(self.proxies.to(vectors.dtype), dim=1).T
        known = (identity >= 0)[:, None]
        own = known & (identity[:, None] == torch.arange(len(present), device=identity.device))
        other = known & ~own & present
        pulled = self._shared(-self.alpha * (cosine - self.margin), own) / own.any(0).sum().clamp_min(1)
        pushed = self._shared(self.alpha * (cosine + self.margin), other) / present.sum().clamp_min(1)
        return (pulled + pushed) * known.sum()

    @staticmethod
    def _shared(pull: Tensor, chosen: Tensor) -> Tensor:
        """The proxies' terms of (B, C) pulls, shared out among samples, (B,)."""
        shares = pull.detach().masked_fill(~chosen, ABSENT).softmax(0)
        return (shares * soft_count(pull, chosen, 0)).sum(1)


def loss(dim: int, classes: int, *, margin: float = 0.1, alpha: float = 32.0) -> ProxyAnchor:
    """See `ProxyAnchor`."""
    return ProxyAnchor(dim, classes, margin, alpha)

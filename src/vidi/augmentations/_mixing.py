"""What all mixing augmentations share: partners, shares and merged labels."""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.labels import Label


def partners(draw: Draw) -> Tensor:
    """(B,) int64: another sample for each sample, each used once; in a batch of one, the sample itself."""
    order = draw.child("partners").uniform().argsort()
    return torch.empty_like(order).scatter_(0, order, order.roll(-1))


def beta_shares(draw: Draw, alpha: float) -> Tensor:
    """(B,) float32 in 0..1 from the law Beta(alpha, alpha), by inversion."""
    unit = draw.child("shares").uniform()
    if alpha == 1:
        return unit
    from scipy.special import betaincinv

    return torch.from_numpy(betaincinv(alpha, alpha, unit.cpu().double().numpy())).float().to(unit.device)


def gamma_draws(draw: Draw, alpha: float, *shape: int) -> Tensor:
    """(B, *shape) float32 > 0 from the law Gamma(alpha, 1), by inversion; shares of their sum follow Dirichlet's law."""
    unit = draw.uniform(0, 1, *shape)
    if alpha == 1:
        return -(1 - unit).log_().clamp_max_(-1e-9)
    from scipy.special import gammaincinv

    values = gammaincinv(alpha, unit.cpu().double().numpy())
    return torch.from_numpy(values).float().clamp_min(1e-9).to(unit.device)


def mixed(batch: Batch, images: Tensor, partner: Tensor, share: Tensor) -> Batch:
    """The batch with mixed pictures; each label is merged with its partner's, itself weighing `share` (B,) in 0..1."""
    labels = [
        _merged(label, batch.labels[other], weight) for label, other, weight in zip(batch.labels, partner.tolist(), share.tolist())
    ]
    return Batch(batch.inputs | {"image": images}, labels, batch.frames, batch.indices)


def _merged(label: Label | None, other: Label | None, share: float) -> Label | None:
    if share >= 1 or label is other:
        return label
    if label is None or other is None:
        return None
    return type(label).merge([label, other], [share, 1 - share])

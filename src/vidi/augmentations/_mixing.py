"""What all mixing augmentations share: partners, shares, and labels that follow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.labels import Detections, Label


def partners(draw: Draw, step: int = 1) -> Tensor:
    """(B,) int64: another sample for each sample, each used once; in a batch of one, the sample itself.

    Other steps give others still, as long as the batch holds more than `step` samples; step 0 gives the samples themselves.
    """
    order = draw.child("partners").uniform().argsort()
    return torch.empty_like(order).scatter_(0, order, order.roll(-step))


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
    """The batch with blended pictures and the labels that follow, each sample itself weighing `share` (B,) in 0..1."""
    labels = [
        _overlaid(label, batch.labels[other], weight) for label, other, weight in zip(batch.labels, partner.tolist(), share.tolist())
    ]
    return Batch(batch.inputs | {"image": images}, labels, batch.frames, batch.indices)


def pasted(batch: Batch, partner: Tensor, covered: Tensor) -> Batch:
    """The batch with pixels `covered` (B, 1, H, W) bool showing the partner's picture, and the labels that follow."""
    images = batch.inputs["image"]
    images = torch.where(covered, images[partner], images)
    labels: list[Label | None] = []
    for label, other, where in zip(batch.labels, partner.tolist(), covered.squeeze(1).cpu().numpy()):
        theirs = batch.labels[other]
        if label is None or label is theirs or not where.any():
            labels.append(label)
        else:
            labels.append(None if theirs is None else label.pasted(theirs, where))
    return Batch(batch.inputs | {"image": images}, labels, batch.frames, batch.indices)


def _overlaid(label: Label | None, other: Label | None, share: float) -> Label | None:
    if share >= 1 or label is other:
        return label
    if label is None or other is None:
        return None
    return label.overlay(other, share)


def joined(labels: Sequence[Label | None]) -> Label | None:
    """The things of several labels with boxes together; None if one of them is not known."""
    known = [label for label in labels if isinstance(label, Detections)]
    if len(known) < len(labels):
        return None
    full = [label for label in known if len(label)] or known[:1]
    return full[0] if len(full) == 1 else Detections.concatenate(full)

"""Losses of a camera, a cable or a file, on a batch of pictures (B, 3, H, W) float in 0..1: few photons, few pixels, wrong colors, gaps.

Parameters are (B,), one per sample.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FEW_PHOTONS = 20.0


def _wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def counted(images: Tensor, photons: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
    """Photon noise by the law of Poisson: a white pixel counts `photons` photons on average.

    Below 20 photons counts are drawn exactly, by inversion of `uniform`; above, from the normal law of the same mean and variance, rounded.
    """
    rate = images * _wide(photons)
    counts = (rate + rate.sqrt() * normal).round_().clamp_min_(0)
    few = photons < FEW_PHOTONS
    if bool(few.any()):
        counts[few] = _poisson(rate[few], uniform[few])
    return (counts / _wide(photons)).clamp_(0, 1)


def _poisson(rate: Tensor, uniform: Tensor) -> Tensor:
    """Counts of a Poisson law of small rates: how many values its distribution function has below `uniform`."""
    chance = torch.exp(-rate)
    below, counts = chance.clone(), torch.zeros_like(rate)
    for k in range(1, math.ceil(FEW_PHOTONS + 5 * FEW_PHOTONS**0.5)):
        higher = uniform > below
        if not bool(higher.any()):
            break
        counts += higher
        chance = chance * rate / k
        below += chance
    return counts


def pixelated(images: Tensor, share: Tensor) -> Tensor:
    """Fewer pixels: each side shrunk to a share of 0..1 by averaging what a new pixel covers, then enlarged again in whole blocks."""
    h, w = images.shape[-2:]
    out = images.clone()
    sides = torch.stack([(share * side + 1e-4).floor().clamp(1, side) for side in (h, w)], dim=1).long()
    for tall, wide in sides.unique(dim=0).tolist():
        rows = ((sides[:, 0] == tall) & (sides[:, 1] == wide)).nonzero().squeeze(1)
        small = _averages(tall, h).to(images) @ images[rows] @ _averages(wide, w).to(images).T
        out[rows] = F.interpolate(small, size=(h, w), mode="nearest-exact")
    return out


def _averages(new: int, old: int) -> Tensor:
    """(new, old) share of each old pixel in each new one that covers its center, as Pillow's box filter has it."""
    edges, centers = torch.arange(new + 1, dtype=torch.float64) * (old / new), torch.arange(old) + 0.5
    covered = ((centers > edges[:-1, None] + 1e-9) & (centers <= edges[1:, None] + 1e-9)).float()
    return covered / covered.sum(1, keepdim=True)


def lit(images: Tensor, amount: Tensor) -> Tensor:
    """Brighter by an amount in 0..1 that is added to the V of HSV; hue and saturation stay."""
    value = images.amax(1, keepdim=True)
    brighter = (value + _wide(amount)).clamp(0, 1)
    return torch.where(value > 0, images * (brighter / value.clamp_min(1e-6)), brighter.expand_as(images)).clamp_(0, 1)


def saturated(images: Tensor, factor: Tensor, more: Tensor) -> Tensor:
    """The S of HSV times a factor ≥ 0, plus `more`; hue and value stay, and so do pixels without a hue."""
    value, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = value - low
    old = chroma / value.clamp_min(1e-6)
    new = (old * _wide(factor) + _wide(more)).clamp(0, 1)
    gain = torch.where(chroma > 1e-6, new / old.clamp_min(1e-6), torch.zeros_like(old))
    return (value - (value - images) * gain).clamp_(0, 1)


def flattened(images: Tensor, factor: Tensor) -> Tensor:
    """Distances to each channel's mean times a factor ≥ 0."""
    mean = images.mean((2, 3), keepdim=True)
    return (mean + (images - mean) * _wide(factor)).clamp_(0, 1)


def lost_rows(uniform: Tensor, share: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, 1) bool: a share of the rows, those of the lowest `uniform` (B, H)."""
    count = (share * size[0]).round()[:, None]
    return (uniform.argsort(1).argsort(1) < count)[:, None, :, None]


def lost_blocks(uniform: Tensor, share: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) bool: a share of the blocks of a grid, those of the lowest `uniform` (B, h, w)."""
    b, h, w = uniform.shape
    count = (share * (h * w)).round()[:, None]
    mask = (uniform.view(b, h * w).argsort(1).argsort(1) < count).view(b, 1, h, w)
    return F.interpolate(mask.float(), size=size, mode="nearest-exact") > 0.5

"""Noise on a batch of pictures, (B, C, H, W) float in 0..1, with one strength per sample, (B,), from given random numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def _wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def gaussian(images: Tensor, std: Tensor, normal: Tensor) -> Tensor:
    """Additive noise of a standard deviation in units of the value range; `normal` is standard normal like `images`."""
    return (images + normal * _wide(std)).clamp_(0, 1)


def speckle(images: Tensor, std: Tensor, normal: Tensor) -> Tensor:
    """Multiplicative noise: a bright pixel wavers more than a dark one, in proportion."""
    return (images + images * normal * _wide(std)).clamp_(0, 1)


def shot(images: Tensor, photons: Tensor, normal: Tensor) -> Tensor:
    """Photon noise: a white pixel counts `photons` photons on average.

    The Poisson law is approximated by the normal law of the same mean and variance, so black stays black.
    """
    return (images + (images.clamp_min(0) / _wide(photons)).sqrt_() * normal).clamp_(0, 1)


def impulse(images: Tensor, share: Tensor, uniform: Tensor) -> Tensor:
    """Salt and pepper: a share of all values turns to 0 or 1, half of it each; `uniform` in 0..1 like `images`."""
    half = _wide(share) / 2
    return torch.where(uniform < half, 0.0, torch.where(uniform >= 1 - half, 1.0, images))

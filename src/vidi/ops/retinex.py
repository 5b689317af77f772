"""Center and surround: what a pixel is beside what is around it, whatever the light."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

DARKEST = 1 / 255
ALPHA = 125.0
"""How fast the color restoration of Jobson et al. grows with a channel's share of a pixel."""


def surround(images: Tensor, sigma: float) -> Tensor:
    """Gaussian mean of each pixel's neighborhood, over the pixels that the picture has, (B, C, H, W) to the same."""
    down, across = (_weights(length, sigma, images) for length in images.shape[2:])
    return down @ images @ across.T


def _weights(length: int, sigma: float, like: Tensor) -> Tensor:
    """(length, length): how much each pixel counts for each, rows sum to one."""
    place = torch.arange(length, device=like.device, dtype=like.dtype)
    weights = torch.exp(-0.5 * ((place[:, None] - place[None, :]) / sigma) ** 2)
    return weights / weights.sum(1, keepdim=True)


def multi_scale(images: Tensor, sigmas: Sequence[float]) -> Tensor:
    """log of each value less log of its surround, mean over scales: (B, C, H, W) in 0..1 to unbounded values around 0.

    D. Jobson, Z. Rahman and G. Woodell, A multiscale retinex for bridging the gap between color images and the human observation of scenes,
    IEEE Transactions on Image Processing 1997; with one sigma, their single-scale retinex (Properties and performance of a center/surround
    retinex, same year).

    Args:
        sigmas: of the surrounds, in pixels.
    """
    lifted = images + DARKEST
    around = torch.stack([surround(lifted, sigma).log() for sigma in sigmas]).mean(0)
    return lifted.log() - around


def color_restoration(images: Tensor) -> Tensor:
    """By how much the retinex of each channel counts for its share in the pixel's color, (B, C, H, W); 1 where a pixel is gray."""
    lifted = images + DARKEST
    share = lifted / lifted.mean(1, keepdim=True)
    return (1 + ALPHA * share).log() / torch.log1p(torch.tensor(ALPHA, dtype=images.dtype, device=images.device))

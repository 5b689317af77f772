"""How alike two pictures are, (B, C, H, W) in 0..1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in decibels, (B,), for values in 0..1; 100 for pictures that are alike to within 1e-5."""
    return -10 * (a - b).square().flatten(1).mean(1).clamp_min(1e-10).log10()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity, (B,), at most 1: a mean over places and channels (Wang et al. 2004, *Image Quality Assessment: From Error
    Visibility to Structural Similarity*), with Gaussian windows of 11 pixels, smaller on pictures that are smaller themselves; windows
    lie wholly inside the picture."""
    side = min(SIDE, *a.shape[2:])
    side -= 1 - side % 2
    place = torch.arange(side, dtype=a.dtype, device=a.device) - (side - 1) / 2
    bell = (-(place**2) / (2 * SIGMA**2)).exp()
    bell = bell / bell.sum()
    channels = a.shape[1]

    def smooth(x: Tensor) -> Tensor:
        x = F.conv2d(x, bell.view(1, 1, 1, -1).expand(channels, 1, 1, side), groups=channels)
        return F.conv2d(x, bell.view(1, 1, -1, 1).expand(channels, 1, side, 1), groups=channels)

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    both = smooth(a * b) - mean_a * mean_b
    found = (2 * mean_a * mean_b + C1) * (2 * both + C2) / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))
    return found.flatten(1).mean(1)

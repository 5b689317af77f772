"""Blurring a batch of pictures, (B, C, H, W), each with its own kernel; beyond the border the picture is mirrored."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidi.ops.warp import pad


def filter_each(images: Tensor, kernels: Tensor) -> Tensor:
    """Each sample correlated with its own kernel (B, kh, kw) of odd sides."""
    if not len(images):
        return images
    b, c, h, w = images.shape
    kh, kw = kernels.shape[1:]
    padded = pad(images, (kw // 2, kw // 2, kh // 2, kh // 2))
    weights = kernels.to(images.dtype).repeat_interleave(c, dim=0)[:, None]
    return F.conv2d(padded.reshape(1, b * c, *padded.shape[-2:]), weights, groups=b * c).view(b, c, h, w)


def gaussian_kernel(sigma: Tensor, radius: int) -> Tensor:
    """(B, 2·radius + 1) weights that sum to one; a sigma of 0 is no blur."""
    places = torch.arange(-radius, radius + 1, device=sigma.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (places / sigma.clamp_min(1e-3)[:, None]) ** 2)
    return weights / weights.sum(1, keepdim=True)


def gaussian_blur(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Gaussian blur of sigma (B,) pixels, cut off at `radius` pixels."""
    kernel = gaussian_kernel(sigma, radius)
    return filter_each(filter_each(images, kernel[:, None, :]), kernel[:, :, None])


def line_kernel(length: Tensor, angle: Tensor, radius: int) -> Tensor:
    """(B, 2·radius + 1, 2·radius + 1) weights of a straight motion of `length` (B,) pixels along `angle` (B,) radians.

    Lengths up to 2·(radius − 1) fit; a length of 0 is no blur.
    """
    count = 4 * radius + 1
    steps = torch.linspace(-0.5, 0.5, count, device=length.device)
    reach = length[:, None] * steps
    x, y = reach * angle.cos()[:, None], reach * angle.sin()[:, None]
    places = torch.arange(-radius, radius + 1, device=length.device, dtype=torch.float32)
    across = (1 - (places - x[:, :, None]).abs()).clamp_min_(0)
    along = (1 - (places - y[:, :, None]).abs()).clamp_min_(0)
    kernel = along.transpose(1, 2) @ across
    return kernel / kernel.sum((1, 2), keepdim=True)


def motion_blur(images: Tensor, length: Tensor, angle: Tensor, radius: int) -> Tensor:
    """Blur of a camera or object that moved straight on by `length` (B,) pixels, at most 2·(radius − 1)."""
    return filter_each(images, line_kernel(length, angle, radius))

"""Random textures for a batch, from given random numbers: clouds, smooth noise, natural texture, ice."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vidi.ops.blur import filter_each, gaussian_kernel

Uniform = Callable[..., Tensor]
"""(low, high, *shape) → uniform random numbers (B, *shape)."""

MOST_PLASMA = 256


def plasma(uniform: Uniform, size: tuple[int, int], decay: Tensor) -> Tensor:
    """(B, 1, H, W) clouds in 0..1 by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982).

    Args:
        decay: (B,) above 1, by which each octave is weaker than the one before; smaller is rougher.
    """
    side = 2
    while side < min(max(size), MOST_PLASMA):
        side *= 2
    heights = torch.zeros(len(decay), side, side, device=decay.device)
    step, reach = side, torch.ones_like(decay)[:, None, None]
    while step >= 2:
        _squares(heights, step, reach, uniform)
        _diamonds(heights, step, reach, uniform)
        step //= 2
        reach = reach / decay.square()[:, None, None]
    low, high = heights.amin((1, 2), keepdim=True), heights.amax((1, 2), keepdim=True)
    heights = ((heights - low) / (high - low).clamp_min(1e-9))[:, None]
    if max(size) > side:
        heights = F.interpolate(heights, size=(max(size), max(size)), mode="bilinear", align_corners=False)
    return heights[..., : size[0], : size[1]]


def _squares(heights: Tensor, step: int, reach: Tensor, uniform: Uniform) -> None:
    """The middle of each square of points: the mean of its corners, and chance."""
    corners = heights[:, ::step, ::step]
    total = corners + corners.roll(-1, 1)
    total = total + total.roll(-1, 2)
    heights[:, step // 2 :: step, step // 2 :: step] = total / 4 + reach * uniform(-1, 1, *total.shape[1:])


def _diamonds(heights: Tensor, step: int, reach: Tensor, uniform: Uniform) -> None:
    """The middle of each diamond of points: the mean of its corners, and chance."""
    half = step // 2
    middles, corners = heights[:, half::step, half::step], heights[:, ::step, ::step]
    across = middles + middles.roll(1, 1) + corners + corners.roll(-1, 2)
    heights[:, ::step, half::step] = across / 4 + reach * uniform(-1, 1, *across.shape[1:])
    down = middles + middles.roll(1, 2) + corners + corners.roll(-1, 1)
    heights[:, half::step, ::step] = down / 4 + reach * uniform(-1, 1, *down.shape[1:])


def smooth_noise(normal: Tensor, sigma: Tensor) -> Tensor:
    """Normal noise (B, C, H, W) blurred by a Gaussian of sigma (B,) pixels and brought back to a standard deviation of one."""
    kernel = gaussian_kernel(sigma, max(1, math.ceil(4 * float(sigma.max()))) if len(sigma) else 1)
    blurred = filter_each(filter_each(normal, kernel[:, None, :]), kernel[:, :, None])
    return blurred / kernel.square().sum(1)[:, None, None, None]


def wide_noise(normal: Tensor, sigma: Tensor) -> Tensor:
    """Like `smooth_noise`, by Fourier transform (the opposite borders meet), for any sigma (B,)."""
    h, w = normal.shape[-2:]
    gain = torch.exp(-2 * (math.pi * sigma[:, None, None]) ** 2 * _frequencies((h, w), normal.device) ** 2)
    spread = gain.square().mean((1, 2), keepdim=True).sqrt()[:, None]
    return torch.fft.ifft2(torch.fft.fft2(normal) * gain[:, None]).real / spread


def natural(normal: Tensor, uniform: Uniform) -> Tensor:
    """(B, 3, H, W) pictures in 0..1 with the statistics of natural ones: amplitudes fall with frequency f as 1/f^1.3 (about as in Field 1987), brightness
    varies more than color, and each has a color of its own.

    Args:
        normal: standard normal, (B, 3, H, W): brightness and two differences of color.
    """
    h, w = normal.shape[-2:]
    frequency = _frequencies((h, w), normal.device)
    gain = frequency.clamp_min(1 / max(h, w)) ** -1.3
    gain[0, 0] = 0
    waves = torch.fft.ifft2(torch.fft.fft2(normal) * gain).real
    waves = waves / waves.std((2, 3), keepdim=True, correction=0).clamp_min(1e-6)
    light, warm, green = waves.unbind(1)
    colors = torch.stack([light + 0.3 * warm, light + 0.3 * green, light - 0.3 * warm], dim=1)
    return (uniform(0.25, 0.75, 3)[:, :, None, None] + 0.18 * colors).clamp_(0, 1)


def _frequencies(size: tuple[int, int], device: torch.device) -> Tensor:
    """(H, W) cycles per pixel of each Fourier coefficient."""
    down, across = (torch.fft.fftfreq(side, device=device) for side in size)
    return (down[:, None] ** 2 + across**2).sqrt()


def ice(uniform: Uniform, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) in 0..1: branching ridges of several sizes, densest in a corner from which they grow."""
    total = torch.zeros(())
    for octave in range(4):
        cells = [min(side + 1, 3 * 2**octave + 1) for side in size]
        field = F.interpolate(uniform(-1, 1, 1, *cells), size=size, mode="bicubic", align_corners=True)
        total = total + (1 - field.abs()).clamp_min(0) ** 2 / 1.6**octave
    peak = total.amax((2, 3), keepdim=True).clamp_min(1e-6)
    x, y = ((uniform() > 0.5).float() for _ in range(2))
    down, across = (torch.linspace(0, 1, side, device=x.device) for side in size)
    distance = torch.maximum((across - x[:, None])[:, None].abs(), (down - y[:, None])[:, :, None].abs())
    return (total / peak * (1.25 - 0.6 * distance[:, None])).clamp(0, 1)

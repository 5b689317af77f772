"""What optics do to a batch of pictures (B, C, H, W): out of focus, moved while exposed, zoomed while exposed, seen through frosted glass.

Parameters are (B,), one per sample. Beyond the border the picture is mirrored.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidi.ops.blur import filter_each, gaussian_kernel
from vidi.ops.warp import pad

_DIRECT = 49


def filtered(images: Tensor, kernels: Tensor) -> Tensor:
    """Each sample correlated with its own kernel (B, kh, kw) of odd sides; large kernels by Fourier transform."""
    kh, kw = kernels.shape[1:]
    if kh * kw <= _DIRECT or not len(images):
        return filter_each(images, kernels)
    h, w = images.shape[-2:]
    padded = pad(images, (kw // 2, kw // 2, kh // 2, kh // 2))
    sides = [_even(side) for side in padded.shape[-2:]]
    spectrum = torch.fft.rfft2(padded, s=sides) * torch.fft.rfft2(kernels.to(images.dtype), s=sides).conj()[:, None]
    return torch.fft.irfft2(spectrum, s=sides)[..., :h, :w]


def _even(side: int) -> int:
    """The next length without prime factors above 5, which transforms fast."""
    while True:
        rest = side
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and side % 2 == 0:
            return side
        side += 1


def disk_kernel(radius: Tensor, alias: Tensor) -> Tensor:
    """(B, K, K) even disks of a radius ≥ 0 pixels whose edge is smoothed by a 3×3 Gaussian of standard deviation `alias`."""
    reach = max(1, math.ceil(float(radius.max()) + 0.5) + 1) if len(radius) else 1
    places = torch.arange(-reach, reach + 1, device=radius.device, dtype=torch.float32)
    distance = (places[:, None] ** 2 + places**2).sqrt()
    disk = (radius[:, None, None] + 0.5 - distance).clamp(0, 1)
    disk[:, reach, reach].clamp_min_(1e-3)
    soft = gaussian_kernel(alias, 1)
    disk = filter_each(disk[:, None], soft[:, :, None] * soft[:, None, :])[:, 0]
    return disk / disk.sum((1, 2), keepdim=True)


def defocused(images: Tensor, radius: Tensor, alias: Tensor) -> Tensor:
    """Out of focus by an even disk; see `disk_kernel`."""
    return filtered(images, disk_kernel(radius, alias)).clamp_(0, 1)


def trail_kernel(length: Tensor, sigma: Tensor, angle: Tensor) -> Tensor:
    """(B, K, K) weights of a motion that fades behind: half a Gaussian of standard deviation `sigma` along `angle` in radians, cut off at
    `length` pixels, or three deviations if that is less. This is what ImageMagick's motion blur of radius `length` / 2 does."""
    length = torch.minimum(length, 3 * sigma)
    reach = max(1, math.ceil(float(length.max()))) + 1 if len(length) else 1
    steps = torch.arange(0, reach, 0.5, device=length.device)
    weights = torch.exp(-0.5 * (steps / sigma.clamp_min(1e-3)[:, None]) ** 2) * (steps <= length[:, None])
    places = torch.arange(-reach, reach + 1, device=length.device, dtype=torch.float32)
    x, y = (steps * turn[:, None] for turn in (angle.cos(), angle.sin()))
    across = (1 - (places - x[:, :, None]).abs()).clamp_min_(0) * weights[:, :, None]
    along = (1 - (places - y[:, :, None]).abs()).clamp_min_(0)
    kernel = along.transpose(1, 2) @ across
    return kernel / kernel.sum((1, 2), keepdim=True)


def trailed(images: Tensor, length: Tensor, sigma: Tensor, angle: Tensor) -> Tensor:
    """Moved while exposed; see `trail_kernel`."""
    return filtered(images, trail_kernel(length, sigma, angle)).clamp_(0, 1)


def zoomed(images: Tensor, largest: Tensor, count: int = 11) -> Tensor:
    """Zoomed while exposed: the mean of the picture and of `count` enlargements about its middle, by factors from 1 to `largest` ≥ 1."""
    h, w = images.shape[-2:]
    total = images.clone()
    for step in range(count):
        factor = 1 + (largest - 1) * (step / max(1, count - 1))
        down, across = _stretch(factor, h), _stretch(factor, w)
        total += down[:, None] @ images @ across.transpose(1, 2)[:, None]
    return total.div_(count + 1).clamp_(0, 1)


def _stretch(factor: Tensor, side: int) -> Tensor:
    """(B, side, side) bilinear weights of an enlargement about the middle."""
    places = torch.arange(side, device=factor.device, dtype=torch.float32)
    source = (places + 0.5 - side / 2) / factor[:, None] + side / 2 - 0.5
    return (1 - (source[:, :, None] - places).abs()).clamp_min_(0)


def shuffled(images: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Each pixel shows the one that lies `across` and `down` (B, H, W) pixels away, rounded and held inside the picture."""
    b, c, h, w = images.shape
    xs, ys = torch.arange(w, device=images.device), torch.arange(h, device=images.device)
    x = (xs + across.round().long()).clamp_(0, w - 1)
    y = (ys[:, None] + down.round().long()).clamp_(0, h - 1)
    index = (y * w + x).view(b, 1, h * w).expand(b, c, h * w)
    return images.reshape(b, c, h * w).gather(2, index).view(b, c, h, w)

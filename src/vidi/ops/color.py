"""Changing the colors of a batch of RGB pictures, (B, 3, H, W) float in 0..1, with one strength per sample, (B,).

Brightness, contrast, saturation, hue, gamma, posterize, solarize, autocontrast, equalize and sharpness mean what they mean in
Pillow and torchvision. Every function returns new pictures in 0..1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)


def _wide(values: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def luma(images: Tensor) -> Tensor:
    """Brightness as the eye weighs it (ITU-R 601-2), (B, 1, H, W)."""
    r, g, b = images.unbind(1)
    return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).unsqueeze(1)


def blend(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """share · images + (1 − share) · others, in 0..1; shares above one extrapolate."""
    return torch.lerp(others.expand_as(images), images, _wide(share).to(images.dtype)).clamp_(0, 1)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Values times a factor ≥ 0."""
    return (images * _wide(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Distance to the picture's mean gray times a factor ≥ 0."""
    return blend(images, luma(images).mean((1, 2, 3), keepdim=True), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Distance to the pixel's own gray times a factor ≥ 0; 0 gives gray pictures."""
    return blend(images, luma(images), factor)


def hue(images: Tensor, turn: Tensor) -> Tensor:
    """Hue turned by a share of the color circle, −0.5..0.5, in HSV."""
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    r, g, b = images.unbind(1)
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sector = torch.where(value == r, (g - b) / safe, torch.where(value == g, (b - r) / safe + 2, (r - g) / safe + 4))
    sector = sector + 6 * turn.view(-1, 1, 1)
    channels = []
    for offset in (5, 3, 1):
        place = (sector + offset).remainder(6)
        channels.append(value - chroma * torch.minimum(place, 4 - place).clamp_(0, 1))
    return torch.stack(channels, dim=1).clamp_(0, 1)


def gamma(images: Tensor, exponent: Tensor) -> Tensor:
    """Values to the power of an exponent > 0; above one is darker."""
    return images.clamp(0, 1).pow(_wide(exponent))


def gain(images: Tensor, gains: Tensor) -> Tensor:
    """Each channel times its own factor, gains (B, 3)."""
    return (images * gains[:, :, None, None]).clamp_(0, 1)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Only the `bits` (1..8) highest bits of 8-bit values are kept."""
    step = _wide(2.0 ** (8 - bits.to(images.dtype)))
    return ((images * 255).round_() / step).floor_() * step / 255


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Values at or above a threshold in 0..1 are inverted."""
    return torch.where(images >= _wide(threshold), 1 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Each channel stretched to 0..1; constant channels stay."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = high - low <= 0
    scale = torch.where(flat, torch.ones_like(high), high - low)
    return ((images - torch.where(flat, torch.zeros_like(low), low)) / scale).clamp_(0, 1)


def equalize(images: Tensor) -> Tensor:
    """Each channel's histogram of 8-bit values made as even as Pillow makes it."""
    b, c = images.shape[:2]
    levels = (images * 255).round_().clamp_(0, 255).long().reshape(b * c, -1)
    counts = torch.zeros(b * c, 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    last = counts.gather(1, levels.amax(1, keepdim=True))
    step = (levels.shape[1] - last) // 255
    table = (counts.cumsum(1) + step // 2) // step.clamp_min(1)
    table = F.pad(table[:, :-1], (1, 0)).clamp_(0, 255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device))
    return (table.gather(1, levels).to(images.dtype) / 255).view_as(images)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Distance to a smoothed picture times a factor ≥ 0; 0 smooths, above one sharpens. The outermost pixels stay."""
    if min(images.shape[-2:]) < 3:
        return images.clone()
    kernel = torch.ones(3, 3, dtype=images.dtype, device=images.device)
    kernel[1, 1] = 5
    smooth = images.clone()
    flat = images.reshape(-1, 1, *images.shape[-2:])
    smooth[..., 1:-1, 1:-1] = F.conv2d(flat, (kernel / 13)[None, None]).view(*images.shape[:2], *(side - 2 for side in images.shape[-2:]))
    return blend(images, smooth, factor)

"""Weather on a batch of pictures (B, 3, H, W) float in 0..1, from given random numbers: fog, frost, snow, rain, spatter.

Fog, snow and spatter follow ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261); parameters are (B,), one per sample.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.ops.blur import gaussian_kernel, line_kernel
from vidi.ops.color import luma
from vidi.ops.lens import filtered, trail_kernel
from vidi.ops.texture import smooth_noise
from vidi.ops.warp import warp

ICE, WATER, MUD = (0.82, 0.92, 1.0), (175 / 255, 238 / 255, 238 / 255), (63 / 255, 42 / 255, 20 / 255)
_EMBOSS = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))


def _wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _tint(color: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(color, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)


def fogged(images: Tensor, clouds: Tensor, amount: Tensor) -> Tensor:
    """Clouds (B, 1, H, W) in 0..1 lie before the picture, whose brightest value stays as it is."""
    peak = images.amax((1, 2, 3), keepdim=True)
    amount = _wide(amount)
    return ((images + amount * clouds) * (peak / (peak + amount).clamp_min(1e-6))).clamp_(0, 1)


def frosted(images: Tensor, crystals: Tensor, light: Tensor, amount: Tensor) -> Tensor:
    """Ice (B, 1, H, W) in 0..1 on the lens, which lets a share `light` of the picture through and adds `amount` of its own white."""
    return (images * _wide(light) + crystals * _wide(amount) * _tint(ICE, images)).clamp_(0, 1)


def snowed(
    images: Tensor, normal: Tensor, angle: Tensor, mean: Tensor, spread: Tensor, zoom: Tensor, least: Tensor, length: Tensor, fade: Tensor, clear: Tensor
) -> Tensor:  # fmt: skip
    """Flakes fall, and the picture is whitened.

    Args:
        normal: standard normal, (B, 1, H, W).
        angle: of the fall in radians, π/2 is downward.
        mean, spread: of the noise that flakes are made of; `least` is the value above which there is one.
        zoom: size of a flake in pixels.
        length, fade: of its trail in pixels, see `vidi.ops.lens.trail_kernel`.
        clear: share of the picture that is not whitened, 0..1.
    """
    h, w = images.shape[-2:]
    layer = normal * _wide(spread) + _wide(mean)
    zoom = zoom.clamp_min(1)
    still, grown = torch.zeros_like(zoom), torch.ones_like(zoom)
    rows = [zoom, still, w / 2 * (1 - zoom), still, zoom, h / 2 * (1 - zoom), still, still, grown]
    layer = warp(layer, torch.stack(rows, dim=1).view(-1, 3, 3), (h, w), fill="reflect")
    layer = torch.where(layer < _wide(least), torch.zeros_like(layer), layer).clamp_(0, 1)
    flakes = filtered(layer, trail_kernel(length, fade, angle))
    white = torch.maximum(images, luma(images) * 1.5 + 0.5)
    return (torch.lerp(white, images, _wide(clear)) + flakes + flakes.flip(2, 3)).clamp_(0, 1)


def rained(images: Tensor, uniform: Tensor, angle: Tensor, density: Tensor, length: Tensor, bright: Tensor, veil: Tensor) -> Tensor:
    """Streaks of rain before a picture that is grayed.

    Args:
        uniform: (B, 1, H, W) in 0..1.
        angle: of the fall in radians, π/2 is downward.
        density: share of the picture that streaks cover, 0..1.
        length: of a streak in pixels.
        bright: how much light a streak adds, 0..1.
        veil: share of the picture that gives way to gray, 0..1.
    """
    drops = (uniform < _wide(density / length.clamp_min(1))).to(images.dtype)
    reach = max(2, int(float(length.max()) / 2) + 2) if len(length) else 2
    streaks = filtered(drops, line_kernel(length, angle, reach)) * _wide(length.clamp_min(1))
    grayed = torch.lerp(images, images.mean((1, 2, 3), keepdim=True).expand_as(images), _wide(veil))
    return (grayed + streaks.clamp_(0, 1) * _wide(bright)).clamp_(0, 1)


def spattered(
    images: Tensor, normal: Tensor, mean: Tensor, spread: Tensor, sigma: Tensor, least: Tensor, strength: Tensor, mud: Tensor, scale: float = 1.0
) -> Tensor:  # fmt: skip
    """Drops of water or splashes of mud on the lens.

    The published one lights drops by a relief of the distance to their edge; here it is the relief of the drops themselves.

    Args:
        normal: standard normal, (B, 1, H, W).
        mean, spread: of the noise that drops are made of, which is blurred by `sigma` pixels; `least` is the value above which there is one.
        strength: brightness of water, 0..1, or softness of mud in pixels.
        mud: 0 is water, 1 is mud; between them both are mixed.
        scale: by which lengths are multiplied; what is covered stays the same.
    """
    thinned = gaussian_kernel(sigma, 12).square().sum(1)
    layer = smooth_noise(normal, sigma * scale) * _wide(spread * thinned) + _wide(mean)
    drops = torch.where(layer < _wide(least), torch.zeros_like(layer), layer)
    relief = filtered(drops, torch.tensor(_EMBOSS, device=images.device).expand(len(images), 3, 3)).clamp_min(0) * drops
    lit = relief / relief.amax((1, 2, 3), keepdim=True).clamp_min(1e-6) * _wide(strength)
    wet = (images + lit * _tint(WATER, images)).clamp(0, 1)
    soft = gaussian_kernel(strength * scale, 5)
    covered = filtered(filtered((drops > 0).to(images.dtype), soft[:, None, :]), soft[:, :, None])
    covered = torch.where(covered < 0.8, torch.zeros_like(covered), covered)
    dirty = torch.lerp(images, _tint(MUD, images).expand_as(images), covered)
    return torch.lerp(wet, dirty, _wide(mud)).clamp_(0, 1)

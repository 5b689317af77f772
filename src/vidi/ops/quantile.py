"""Order statistics of pictures in a form that every export knows."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def quantile_from_top(values: Tensor, share: float) -> Tensor:
    """The value that a share (0..0.5) of each row lies above, linear between neighbors, as ``numpy.quantile(values, 1 - share, axis=-1)``.

    Args:
        values: (…, N), N at least 1.

    Returns:
        (…, 1).
    """
    count = values.shape[-1]
    place = share * (count - 1)
    first = min(math.floor(place), count - 1)
    top = values.topk(min(first + 2, count), dim=-1).values
    upper, lower = top[..., first : first + 1], top[..., min(first + 1, count - 1) :][..., :1]
    return torch.lerp(upper, lower, place - first)


def quantile_from_bottom(values: Tensor, share: float) -> Tensor:
    """The value that a share (0..0.5) of each row lies below, (…, N) to (…, 1)."""
    return -quantile_from_top(-values, share)


def noise_level(images: Tensor) -> Tensor:
    """The standard deviation of a picture's noise, from its finest diagonal details, (B, C, H, W) to (B, 1, 1, 1).

    D. Donoho and I. Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994: the median size of Haar's diagonal coefficients,
    divided by 0.6745, which edges hardly move. Without noise, and for pictures of one row or column, it is 0.
    """
    b, c, h, w = images.shape
    if h < 2 or w < 2:
        return images.new_zeros(b, 1, 1, 1)
    even = images[..., : h // 2 * 2, : w // 2 * 2]
    details = (even[..., ::2, ::2] - even[..., ::2, 1::2] - even[..., 1::2, ::2] + even[..., 1::2, 1::2]) / 2
    return (quantile_from_top(details.abs().flatten(2), 0.5).mean(1) / 0.6745).view(b, 1, 1, 1)

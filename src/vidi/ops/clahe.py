"""Contrast-limited adaptive histogram equalization of a batch of single channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEVELS = 256


def clahe(channels: Tensor, tiles: tuple[int, int] = (8, 8), clip: float = 2.0) -> Tensor:
    """Spread the values of each neighborhood over the whole range, without lifting any contrast more than a limit.

    S. Pizer et al., Adaptive histogram equalization and its variations, CVGIP 1987; K. Zuiderveld, Contrast limited adaptive histogram
    equalization, Graphics Gems IV 1994. Tiles, clipping, the sharing out of what is clipped and the interpolation are OpenCV's, so that results
    differ by its rounding alone. Gradients go through the slope of each pixel's tone curve; the histograms count as given.

    Args:
        channels: (N, H, W) in 0..1; histograms have 256 levels.
        tiles: rows and columns of tiles, at most one for each pixel row and column.
        clip: a level holds at most this many times its even share of a tile; 0: no limit.

    Returns:
        (N, H, W) in 0..1.
    """
    n, h, w = channels.shape
    rows, columns = min(tiles[0], h), min(tiles[1], w)
    tall, wide = math.ceil(h / rows), math.ceil(w / columns)
    curves = _curves(channels, (rows, columns), (tall, wide), clip)  # (N, rows · columns · levels)
    place = channels.clamp(0, 1) * (LEVELS - 1)
    level = place.detach().floor().clamp(max=LEVELS - 2)
    share, level = place - level, level.long()
    top, bottom, down = _neighbors(h, tall, rows, channels)
    left, right, across = _neighbors(w, wide, columns, channels)
    out = torch.zeros_like(channels)
    for row, weight_y in ((top, 1 - down), (bottom, down)):
        for column, weight_x in ((left, 1 - across), (right, across)):
            tile = row[:, None] * columns + column[None, :]  # (H, W)
            at = (tile * LEVELS + level).flatten(1)
            low, high = curves.gather(1, at).view(n, h, w), curves.gather(1, at + 1).view(n, h, w)
            out = out + weight_y[:, None] * weight_x[None, :] * torch.lerp(low, high, share)
    return out


def _curves(channels: Tensor, tiles: tuple[int, int], size: tuple[int, int], clip: float) -> Tensor:
    """The tone curve of each tile, (N, tiles · levels) in 0..1."""
    n, h, w = channels.shape
    (rows, columns), (tall, wide), area = tiles, size, size[0] * size[1]
    down, across = (_mirrored(length, padded, channels) for length, padded in ((h, rows * tall), (w, columns * wide)))
    whole = channels.detach()
    if (h, w) != (rows * tall, columns * wide):
        whole = whole.index_select(1, down).index_select(2, across)
    levels = (whole.clamp(0, 1) * (LEVELS - 1)).round().long()
    tile = (torch.arange(rows * tall, device=levels.device) // tall)[:, None] * columns + torch.arange(columns * wide, device=levels.device) // wide
    at = (tile * LEVELS + levels).flatten(1)
    counts = torch.zeros(n, rows * columns * LEVELS, device=channels.device, dtype=torch.float32)
    counts = counts.scatter_add(1, at, torch.ones_like(at, dtype=torch.float32)).view(n, rows * columns, LEVELS)
    if clip > 0:
        counts = _clipped(counts, max(1, int(clip * area / LEVELS)))
    return (counts.cumsum(2) / area).to(channels.dtype).flatten(1)


def _clipped(counts: Tensor, limit: int) -> Tensor:
    """Histograms cut off at a limit; what is cut off is shared out evenly, the rest of that over levels at even distances."""
    kept = counts.clamp(max=limit)
    excess = (counts - kept).sum(2, keepdim=True)
    each = (excess / LEVELS).floor()
    rest = excess - each * LEVELS
    step = (LEVELS / rest.clamp_min(1)).floor()
    level = torch.arange(LEVELS, device=counts.device, dtype=counts.dtype)
    extra = (level.remainder(step) == 0) & (level / step < rest)
    return kept + each + extra.to(counts.dtype)


def _mirrored(length: int, padded: int, like: Tensor) -> Tensor:
    """Which row or column stands where, when a picture is mirrored beyond its end, without doubling its border."""
    period = max(1, 2 * (length - 1))
    place = torch.arange(padded, device=like.device) % period
    return torch.minimum(place, period - place).clamp(max=length - 1)


def _neighbors(length: int, tile: int, count: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each row or column, the tiles whose centers lie before and behind it, and how near it is to the latter, 0..1."""
    place = torch.arange(length, device=like.device, dtype=like.dtype) / tile - 0.5
    before = place.floor()
    first = before.long()
    return first.clamp(0, count - 1), (first + 1).clamp(0, count - 1), place - before

"""Means over a pixel's neighborhood in which those count that look alike: edges stay where noise goes.

Both filters go through the places of a window one after another and compare the whole batch with itself, shifted. Each pair of places is compared
once: the likeness of a pixel to its neighbor is that of the neighbor to it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def bilateral(images: Tensor, reach: int, space: float, likeness: Tensor) -> Tensor:
    """Each pixel becomes the mean of its neighbors, weighted by nearness and by likeness of color, (B, C, H, W) to the same.

    C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images, ICCV 1998. Beyond the border the picture is repeated.

    Args:
        reach: of the window of 2 · reach + 1 pixels a side.
        space: standard deviation of the nearness in pixels.
        likeness: (B, 1, 1, 1) standard deviation of the likeness, as root mean square over channels in units of the value range; at 0 the
            picture stays as it is.
    """
    scale = -0.5 / likeness.square().clamp_min(1e-12)
    places = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1) if (dy, dx) > (0, 0)]

    def weight(difference: Tensor, dy: int, dx: int) -> Tensor:
        return torch.exp(difference * scale - (dy * dy + dx * dx) / (2 * space * space))

    return _mean(images, reach, 0, places, weight)


def non_local_means(images: Tensor, patch: int, search: int, noise: Tensor, strength: Tensor) -> Tensor:
    """Each pixel becomes the mean of those in a window whose own neighborhoods look like its own, (B, C, H, W) to the same.

    A. Buades, B. Coll and J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005; weights exp(−max(d² − 2σ², 0) / h²) as in
    their Non-local means denoising, IPOL 2011, with d² the mean squared difference of two patches, found by box filters of the squared
    difference of the whole picture and itself, shifted. Beyond the border the picture is repeated.

    Args:
        patch: side of the neighborhoods that are compared, odd.
        search: side of the window, odd.
        noise: (B, 1, 1, 1) standard deviation σ of the noise.
        strength: (B, 1, 1, 1) h; at 0 the picture stays as it is.
    """
    reach = search // 2
    scale = -1 / strength.square().clamp_min(1e-12)
    places = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1) if (dy, dx) > (0, 0)]

    def weight(difference: Tensor, dy: int, dx: int) -> Tensor:
        distance = F.avg_pool2d(difference, patch, stride=1) if patch > 1 else difference
        return torch.exp((distance - 2 * noise.square()).clamp_min(0) * scale)

    return _mean(images, reach, patch // 2, places, weight)


def _mean(images: Tensor, reach: int, rim: int, places: list[tuple[int, int]], weight: Callable[[Tensor, int, int], Tensor]) -> Tensor:
    """The weighted mean over the places of half a window and their opposites, and the pixel itself with weight one.

    Args:
        reach: of the window.
        rim: pixels on each side that `weight` takes away from the differences it gets, (B, 1, H + …, W + …) means over channels of squares.
    """
    h, w = images.shape[2:]
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    wide = F.pad(images, (reach + rim,) * 4, mode="replicate")
    total, mass = images, torch.ones_like(images[:, :1])
    for dy, dx in places:
        # every pair (p, p + d) that one of the two ways needs: p from −d to the picture's end
        top, left = min(0, -dy), min(0, -dx)
        rows, columns = h + abs(dy), w + abs(dx)
        y, x = reach + top, reach + left
        here = wide[..., y : y + rows + 2 * rim, x : x + columns + 2 * rim]
        there = wide[..., y + dy : y + dy + rows + 2 * rim, x + dx : x + dx + columns + 2 * rim]
        both = weight((here - there).square().mean(1, keepdim=True), dy, dx)  # (B, 1, rows, columns), its origin at (top, left)
        ahead = both[..., -top : -top + h, -left : -left + w]
        back = both[..., -top - dy : -top - dy + h, -left - dx : -left - dx + w]
        total = total + ahead * padded[..., reach + dy : reach + dy + h, reach + dx : reach + dx + w]
        total = total + back * padded[..., reach - dy : reach - dy + h, reach - dx : reach - dx + w]
        mass = mass + ahead + back
    return total / mass

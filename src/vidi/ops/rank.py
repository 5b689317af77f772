"""The median of each pixel's neighborhood, by a sorting network: whole pictures are compared, nothing is sorted one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

Comparison = tuple[int, int, bool, bool]
"""Two places, of which the first gets the smaller value and the second the larger, and whether each of them is asked for later."""


def median(images: Tensor, size: int) -> Tensor:
    """The median of the size × size pixels around each, channel by channel, (B, C, H, W) to the same; borders are repeated.

    J. Tukey, Exploratory Data Analysis, 1977. Each column of a window is sorted once for all windows that it belongs to, then the rows of
    ranks are; what is then known to lie above or below the middle is left out (A. Paeth, Median finding on a 3×3 grid, Graphics Gems 1990).

    Args:
        size: odd.
    """
    if size == 1:
        return images
    reach = size // 2
    h, w = images.shape[2:]
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    ranks = _run(_pruned(_batcher(size), range(size)), [padded[..., i : i + h, :] for i in range(size)])
    steps, middle = _median_of_columns(size)
    return _run(steps, [rank[..., i : i + w] for rank in ranks for i in range(size)])[middle]


def _run(steps: Sequence[Comparison], values: list[Tensor]) -> list[Tensor]:
    """The values after the comparisons."""
    for low, high, keep_low, keep_high in steps:
        a, b = values[low], values[high]
        if keep_low:
            values[low] = torch.minimum(a, b)
        if keep_high:
            values[high] = torch.maximum(a, b)
    return values


@lru_cache
def _median_of_columns(size: int) -> tuple[list[Comparison], int]:
    """The comparisons that bring the median of size sorted columns to a place, and that place; value (rank r, column c) stands at r · size + c."""
    middle = size * size // 2
    rows = [(rank * size + a, rank * size + b) for rank in range(size) for a, b in _batcher(size)]
    places = [(r, c) for r in range(size) for c in range(size)]
    below = sum((size - r) * (size - c) - 1 > middle for r, c in places)
    left = [r * size + c for r, c in places if (r + 1) * (c + 1) - 1 <= middle and (size - r) * (size - c) - 1 <= middle]
    steps = rows + [(left[a], left[b]) for a, b in _batcher(len(left))]
    return _pruned(steps, [left[middle - below]]), left[middle - below]


def _pruned(pairs: Sequence[tuple[int, int]], wanted: Sequence[int]) -> list[Comparison]:
    """The comparisons without those that no wanted place depends on."""
    needed, steps = set(wanted), []
    for low, high in reversed(pairs):
        if low in needed or high in needed:
            steps.append((low, high, low in needed, high in needed))
            needed |= {low, high}
    return steps[::-1]


def _batcher(count: int) -> list[tuple[int, int]]:
    """The comparisons of an odd-even merge sort (K. Batcher, Sorting networks and their applications, AFIPS 1968)."""
    pairs = []
    p = 1
    while p < count:
        k = p
        while k >= 1:
            for start in range(k % p, count - k, 2 * k):
                near = range(start, min(start + k, count - k))
                pairs += [(i, i + k) for i in near if i // (2 * p) == (i + k) // (2 * p)]
            k //= 2
        p *= 2
    return pairs

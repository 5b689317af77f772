"""Median filter: single wrong pixels go, edges stay (Tukey 1977)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.nets.enhance._check import odd
from vidi.ops.rank import median


class Median(nn.Module):
    """Each value becomes the median of its window; see `enhance`."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return median(x, self.size).clamp(0, 1)


def enhance(*, size: int = 3) -> nn.Module:
    """Take salt-and-pepper noise away: the median of each pixel's window, channel by channel.

    J. Tukey, Exploratory Data Analysis, 1977.

    Args:
        size: side of the window in pixels, odd, 1 to 9.

    Raises:
        InputError: a setting out of range.
    """
    return Median(odd("median", "size", size, 1, 9))

"""Bilateral filter: neighbors count that look alike, so that edges stay (Tomasi and Manduchi 1998)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.nets.enhance._check import number, odd
from vidi.ops.neighbors import bilateral
from vidi.ops.quantile import noise_level

PER_NOISE = 2.0
"""Likeness by the picture's own noise: two pixels of one color differ by the square root of two times as much."""


class Bilateral(nn.Module):
    """`vidi.ops.neighbors.bilateral`; see `enhance`."""

    def __init__(self, size: int, space: float, likeness: float | None):
        super().__init__()
        self.size, self.space, self.likeness = size, space, likeness

    def forward(self, x: Tensor) -> Tensor:
        likeness = noise_level(x) * PER_NOISE if self.likeness is None else x.new_full((1, 1, 1, 1), self.likeness)
        return bilateral(x, self.size // 2, self.space, likeness).clamp(0, 1)


def enhance(*, size: int = 5, space: float = 1.5, likeness: float | str = "auto") -> nn.Module:
    """Smooth noise and keep edges: the mean of each pixel's window, weighted by nearness and likeness of color.

    C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images, ICCV 1998.

    Args:
        size: side of the window in pixels, odd, 1 to 15.
        space: standard deviation of nearness in pixels, 0.1 to 10.
        likeness: standard deviation of likeness, root mean square over channels in units of the value range, 0 to 1; auto: twice the noise that
            each picture shows, so that clean pictures hardly change.

    Raises:
        InputError: a setting out of range.
    """
    own = None if likeness == "auto" else number("bilateral", "likeness", likeness, 0, 1)
    return Bilateral(odd("bilateral", "size", size, 1, 15), number("bilateral", "space", space, 0.1, 10), own)

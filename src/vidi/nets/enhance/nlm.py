"""Non-local means: pixels count whose neighborhoods look alike (Buades, Coll and Morel 2005)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.nets.enhance._check import number, odd
from vidi.ops.neighbors import non_local_means
from vidi.ops.quantile import noise_level


class NonLocalMeans(nn.Module):
    """`vidi.ops.neighbors.non_local_means`; see `enhance`."""

    def __init__(self, patch: int, search: int, noise: float | None, strength: float):
        super().__init__()
        self.patch, self.search, self.noise, self.strength = patch, search, noise, strength

    def forward(self, x: Tensor) -> Tensor:
        noise = noise_level(x) if self.noise is None else x.new_full((1, 1, 1, 1), self.noise)
        return non_local_means(x, self.patch, self.search, noise, self.strength * noise).clamp(0, 1)


def enhance(*, patch: int = 3, search: int = 7, noise: float | str = "auto", strength: float = 0.8) -> nn.Module:
    """Take noise away where the picture repeats itself.

    A. Buades, B. Coll and J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005.

    Args:
        patch: side of the neighborhoods that are compared in pixels, odd, 1 to 9.
        search: side of the window in pixels, odd, 1 to 31; the time grows with its square.
        noise: standard deviation of the noise in units of the value range, 0 to 1; auto: what each picture shows (median of its finest diagonal
            details), so that clean pictures hardly change.
        strength: of the smoothing, in standard deviations of the noise, 0.1 to 10.

    Raises:
        InputError: a setting out of range.
    """
    own = None if noise == "auto" else number("nlm", "noise", noise, 0, 1)
    sides = odd("nlm", "patch", patch, 1, 9), odd("nlm", "search", search, 1, 31)
    return NonLocalMeans(*sides, own, number("nlm", "strength", strength, 0.1, 10))

"""White patch: the brightest thing is white, so a color that it has is the light's (Land and McCann 1971)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.nets.enhance._check import number
from vidi.ops.quantile import quantile_from_top


class WhitePatch(nn.Module):
    """Every channel is scaled so that its brightest values become 1; see `enhance`."""

    def __init__(self, share: float, limit: float):
        super().__init__()
        self.share, self.limit = share, limit

    def forward(self, x: Tensor) -> Tensor:
        white = quantile_from_top(x.flatten(2), self.share)[..., None]  # (B, C, 1, 1)
        return (x / white.clamp_min(1 / self.limit)).clamp(0, 1)


def enhance(*, share: float = 0.01, limit: float = 4.0) -> nn.Module:
    """Take the light's color, and want of light, away by the channels' brightest values.

    E. Land and J. McCann, Lightness and retinex theory, Journal of the Optical Society of America 1971.

    Args:
        share: of the pixels that may be brighter than what becomes white, 0 to 0.5; 0 trusts the single brightest pixel.
        limit: largest factor on a channel, 1 to 100.

    Raises:
        InputError: a setting out of range.
    """
    return WhitePatch(number("white_patch", "share", share, 0, 0.5), number("white_patch", "limit", limit, 1, 100))

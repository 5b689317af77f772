"""Gray world: on average the world is gray, so a color that the mean has is the light's (Buchsbaum 1980)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.nets.enhance._check import number

DARKEST = 1e-3


class GrayWorld(nn.Module):
    """Every channel is scaled so that its mean is the mean over channels; see `enhance`."""

    def __init__(self, power: float, limit: float):
        super().__init__()
        self.power, self.limit = power, limit

    def forward(self, x: Tensor) -> Tensor:
        level = x.clamp_min(DARKEST).pow(self.power).mean((2, 3), keepdim=True).pow(1 / self.power)  # (B, C, 1, 1)
        gain = (level.mean(1, keepdim=True) / level).clamp(1 / self.limit, self.limit)
        return (x * gain).clamp(0, 1)


def enhance(*, power: float = 1.0, limit: float = 4.0) -> nn.Module:
    """Take the light's color away by the channels' means.

    G. Buchsbaum, A spatial processor model for object colour perception, Journal of the Franklin Institute 1980; with a power above one, the
    shades of gray of G. Finlayson and E. Trezzi, Shades of gray and colour constancy, CIC 2004. Pictures of one channel stay as they are.

    Args:
        power: of the Minkowski mean, 1 to 20; 1: gray world, 6: shades of gray.
        limit: largest factor on a channel, 1 to 100.

    Raises:
        InputError: a setting out of range.
    """
    return GrayWorld(number("gray_world", "power", power, 1, 20), number("gray_world", "limit", limit, 1, 100))

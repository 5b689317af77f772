"""Contrast stretching: almost the darkest becomes black, almost the brightest white (Gonzalez and Woods)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidi.nets.enhance._check import brightness, number
from vidi.ops.quantile import quantile_from_bottom, quantile_from_top

LEAST_SPAN = 1e-6


class Stretch(nn.Module):
    """Values between two percentiles of a picture's brightness are stretched over the range; see `enhance`."""

    def __init__(self, share: float, limit: float):
        super().__init__()
        self.share, self.limit = share, limit

    def forward(self, x: Tensor) -> Tensor:
        bright = brightness(x).flatten(2)
        low, high = (find(bright, self.share)[..., None] for find in (quantile_from_bottom, quantile_from_top))
        span = (high - low).clamp_min(LEAST_SPAN)
        gain = (1 / span).clamp_max(self.limit)
        kept = low * (1 - gain * span)  # where the gain is at its limit, the dark end stays where it is in proportion
        return torch.clamp((x - low) * gain + kept, 0, 1)


def enhance(*, share: float = 0.01, limit: float = 5.0) -> nn.Module:
    """Stretch the contrast of each picture between two percentiles of its brightness; the same line for all channels, so that colors stay.

    R. Gonzalez and R. Woods, Digital Image Processing, section on contrast stretching.

    Args:
        share: of the pixels that become black, and of those that become white, 0 to 0.25.
        limit: largest factor on the contrast, 1 to 100; it keeps pictures of one color, and noise, from being blown up.

    Raises:
        InputError: a setting out of range.
    """
    return Stretch(number("stretch", "share", share, 0, 0.25), number("stretch", "limit", limit, 1, 100))

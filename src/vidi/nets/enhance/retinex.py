"""Retinex: what a pixel is beside its surround, whatever the light (Jobson, Rahman and Woodell 1997)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vidi.errors import InputError
from vidi.nets.enhance._check import choice, number, on_brightness
from vidi.ops.retinex import color_restoration, multi_scale

LEAST_SPREAD = 0.05
"""Pictures of less contrast than this (standard deviation of logarithms) are not lifted to full contrast."""


class Retinex(nn.Module):
    """Multi-scale retinex, brought to 0..1; see `enhance`."""

    def __init__(self, scales: tuple[float, ...], color: str, spread: float):
        super().__init__()
        self.scales, self.color, self.spread = scales, color, spread

    def forward(self, x: Tensor) -> Tensor:
        sigmas = [scale * max(x.shape[2:]) for scale in self.scales]
        if self.color == "brightness":
            return on_brightness(x, lambda bright: self._shown(multi_scale(bright, sigmas))).clamp(0, 1)
        found = multi_scale(x, sigmas)
        return self._shown(found * color_restoration(x) if self.color == "restore" else found)

    def _shown(self, found: Tensor) -> Tensor:
        """Mean ± `spread` standard deviations of each picture to 0..1."""
        middle = found.mean((1, 2, 3), keepdim=True)
        spread = (found - middle).square().mean((1, 2, 3), keepdim=True).add(LEAST_SPREAD**2).sqrt()
        return ((found - middle) / (2 * self.spread * spread) + 0.5).clamp(0, 1)


def enhance(*, scales: float | Sequence[float] = (0.03, 0.16, 0.49), color: str = "restore", spread: float = 2.0) -> nn.Module:
    """Take slow changes of the light away, and its color with them.

    D. Jobson, Z. Rahman and G. Woodell, A multiscale retinex for bridging the gap between color images and the human observation of scenes, IEEE
    Transactions on Image Processing 1997, with its color restoration; with one scale their single-scale retinex. Gain and offset are told by each
    picture's mean and standard deviation, as in GIMP's.

    Args:
        scales: standard deviations of the surrounds, as shares of the longer side, 0.002 to 2; those of the paper, 15, 80 and 250 pixels, are shares
            of 512.
        color: ``restore`` (each channel, times its share in the pixel's color), ``channels`` (each channel alone: grays out large areas) or
            ``brightness`` (brightness alone: color differences stay, and so does the color of the light).
        spread: standard deviations on each side of the mean that fill the range, 0.5 to 10; less is more contrast.

    Raises:
        InputError: a setting out of range.
    """
    given = tuple(scales) if isinstance(scales, (list, tuple)) else (scales,)
    if not 1 <= len(given) <= 8:
        raise InputError("expected one to eight scales", at="retinex(scales)", value=scales)
    sigmas = tuple(number("retinex", "scales", scale, 0.002, 2) for scale in given)
    return Retinex(sigmas, choice("retinex", "color", color, ("restore", "channels", "brightness")), number("retinex", "spread", spread, 0.5, 10))

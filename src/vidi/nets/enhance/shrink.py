"""A coarser look: pictures made smaller and large again (Xie et al. 2018 resize at random; this does always the same)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.enhance._check import number


class Shrink(nn.Module):
    """Scaled down with antialiasing, and up again; see `enhance`."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        if not x.numel():
            return x
        size = (x.shape[2], x.shape[3])
        small = [max(1, round(side * self.factor)) for side in size]
        coarse = F.interpolate(x, small, mode="bilinear", antialias=True, align_corners=False)
        return F.interpolate(coarse, size, mode="bilinear", align_corners=False).clamp(0, 1)


def enhance(*, factor: float = 0.5) -> nn.Module:
    """Drop the finest details, and with them noise that is finer than what the net needs.

    Args:
        factor: of both sides, 0.05 to 1.

    Raises:
        InputError: a setting out of range.
    """
    return Shrink(number("shrink", "factor", factor, 0.05, 1))

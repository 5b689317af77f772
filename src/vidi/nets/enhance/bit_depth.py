"""Fewer levels of brightness: small changes are rounded away (Xu, Evans and Qi 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.errors import InputError
from vidi.ops.straight import straight_through


class BitDepth(nn.Module):
    """Values rounded to evenly spaced levels; see `enhance`."""

    def __init__(self, bits: int):
        super().__init__()
        self.top = 2**bits - 1

    def forward(self, x: Tensor) -> Tensor:
        return straight_through(x, (x * self.top).round() / self.top)


def enhance(*, bits: int = 4) -> nn.Module:
    """Round every value to one of 2^bits levels. The gradient is that of the picture as it came in.

    W. Xu, D. Evans and Y. Qi, Feature squeezing: detecting adversarial examples in deep neural networks, NDSS 2018, arXiv:1704.01155.

    Args:
        bits: 1 to 8.

    Raises:
        InputError: a setting out of range.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
        raise InputError("expected a whole number from 1 to 8", at="bit_depth(bits)", value=bits)
    return BitDepth(bits)

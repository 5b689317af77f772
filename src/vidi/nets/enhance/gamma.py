"""Gamma correction: a power of every value, fixed, or such that the mean brightness is what it should be."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vidi.nets.enhance._check import brightness, number

TOE = 1e-3
"""Below this value the curve is straight, so that black stays black and slopes stay finite."""
LEAST_MEAN, MOST_MEAN = 0.002, 0.998


class Gamma(nn.Module):
    """x to the power of `value`, or of one power per picture; see `enhance`."""

    def __init__(self, value: float | None, target: float, limit: float):
        super().__init__()
        self.value, self.target, self.limit = value, target, limit

    def forward(self, x: Tensor) -> Tensor:
        power = x.new_tensor(self.value) if self.value is not None else self.power_of(x)
        curve = x.clamp(TOE, 1).pow(power)
        toe = x.clamp(0, TOE) * TOE ** (power - 1)
        return torch.where(x < TOE, toe, curve)

    def power_of(self, x: Tensor) -> Tensor:
        """The power that takes each picture's mean brightness to the target, (B, 1, 1, 1)."""
        mean = brightness(x).mean((1, 2, 3), keepdim=True).clamp(LEAST_MEAN, MOST_MEAN)
        return (math.log(self.target) / mean.log()).clamp(1 / self.limit, self.limit)


def enhance(*, value: float | str = "auto", target: float = 0.5, limit: float = 3.0) -> nn.Module:
    """Brighten or darken by a power of each value.

    Fixed: C. Poynton, Digital Video and HDTV, 2003. Automatic, as in adaptive gamma correction (S. Rahman et al., An adaptive gamma correction
    for image enhancement, EURASIP Journal on Image and Video Processing 2016): log(target) / log(mean brightness), which takes a picture of the
    mean's gray to the target.

    Args:
        value: the power, 0.1 to 10; below 1 brightens; auto: told by each picture.
        target: mean brightness that auto aims at, 0.05 to 0.95.
        limit: auto's largest power, and one by its smallest, 1 to 10.

    Raises:
        InputError: a setting out of range.
    """
    fixed = None if value == "auto" else number("gamma", "value", value, 0.1, 10)
    return Gamma(fixed, number("gamma", "target", target, 0.05, 0.95), number("gamma", "limit", limit, 1, 10))

"""The first layer of every net: pixels in 0..1 to what the weights expect, enhanced before if the model wants it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidi.nets.blocks.backbone import IMAGENET_MEAN, IMAGENET_STD

SMALLEST_STD = 1 / 255
AT_ONCE = 64
"""Pictures that are enhanced together when statistics are taken."""


class Normalize(nn.Module):
    """(x − mean) / std by channel. The two are buffers, so they travel with the weights and into every export.

    Args:
        channels: input channels.
        mean, std: one value per channel or one for all; ImageNet's for 3 channels when None, else 0.5 and 0.25.

    Attributes:
        enhance: steps (`vidi.nets.enhance`) that the pictures take first; none unless put in.
    """

    mean: Tensor
    std: Tensor
    enhance: nn.Sequential

    def __init__(self, channels: int = 3, mean: Sequence[float] | None = None, std: Sequence[float] | None = None):
        super().__init__()
        usual = channels == 3
        self.register_buffer("mean", _column(mean or (IMAGENET_MEAN if usual else (0.5,)), channels))
        self.register_buffer("std", _column(std or (IMAGENET_STD if usual else (0.25,)), channels))
        self.enhance = nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        return (self.enhanced(x) - self.mean) / self.std

    def enhanced(self, x: Tensor) -> Tensor:
        """The pictures (B, C, H, W) in 0..1 after the steps, computed in float32 at least whatever the precision around."""
        if len(self.enhance) == 0:
            return x
        fine = x.to(torch.promote_types(x.dtype, torch.float32))
        if not torch.is_autocast_enabled(x.device.type):
            return self.enhance(fine).to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return self.enhance(fine).to(x.dtype)

    @torch.no_grad()
    def set(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take over what other weights were trained with."""
        self.mean.copy_(_column(mean, len(self.mean)))
        self.std.copy_(_column(std, len(self.std)))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Mean and std of a batch (B, C, H, W) after the steps; a constant channel gets a std of one gray level."""
        if len(self.enhance) and len(x):
            x = torch.cat([self.enhanced(part) for part in x.split(AT_ONCE)])
        values = x.double().transpose(0, 1).flatten(1)
        self.mean.copy_(values.mean(1)[:, None, None])
        self.std.copy_(values.std(1, correction=0).clamp_min(SMALLEST_STD)[:, None, None])


def _column(values: Sequence[float], channels: int) -> Tensor:
    column = torch.tensor(values, dtype=torch.float32)
    return (column.expand(channels) if len(column) == 1 else column).reshape(channels, 1, 1).clone()

"""No mixing of levels: the backbone's maps as they are, and coarser ones that convolutions make one from the other.

Design: Liu et al. 2016, *SSD: Single Shot MultiBox Detector*, arXiv:1512.02325: the finest map is scaled to unit length per cell with a
learned factor (ParseNet, Liu et al. 2015, arXiv:1506.04579); coarser levels come from a 1×1 and a 3×3 convolution of stride 2. Those
have batch norm here, without which training from random weights diverges. `light` as in SSDLite (Sandler et al. 2018, arXiv:1801.04381).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.blocks.csp import ConvUnit
from vidi.nets.necks._base import Neck, plan_levels

FIRST_SCALE = 20.0
REACH = 6


class UnitLength(nn.Module):
    """Each cell's vector divided by its length, times a learned factor per channel.

    Args:
        channels: of the map.
        scale: first value of the factors, times √(channels / 512): the paper's 20 is for 512 channels.
    """

    def __init__(self, channels: int, scale: float = FIRST_SCALE):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), scale * (channels / 512) ** 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x.float(), dim=1, eps=1e-6).to(x.dtype) * self.weight[:, None, None]


class Atrous(nn.Sequential):
    """What VGG's fully connected layers became in SSD: pooling that keeps the size, a 3×3 convolution with holes, a 1×1."""

    def __init__(self, inputs: int, outputs: int):
        hollow = nn.Conv2d(inputs, outputs, 3, padding=REACH, dilation=REACH, bias=False)
        nn.init.kaiming_normal_(hollow.weight, mode="fan_out", nonlinearity="relu")
        norm = nn.BatchNorm2d(outputs)
        super().__init__(nn.MaxPool2d(3, 1, 1), hollow, norm, nn.ReLU(inplace=True), ConvUnit(outputs, outputs, 1, activation="relu"))


class Ladder(Neck):
    """See `neck` for the arguments."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        width: int = 256,
        levels: Sequence[int] | None = None,
        extra: int = 2,
        light: bool = False,
        atrous: int = 0,
    ):
        super().__init__()
        plan = plan_levels(strides, levels, extra)
        self.taken = plan.taken
        wide = [channels[i] for i in plan.taken]
        self.unit = UnitLength(wide[0])
        self.atrous = None
        if atrous:
            self.atrous = Atrous(wide[-1], atrous)
            wide[-1] = atrous
        self.coarser = nn.ModuleList()
        for _ in range(plan.made):
            self.coarser.append(_halving(wide[-1], width, light))
            wide.append(width)
        self.channels, self.strides = tuple(wide), plan.strides

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        out = [maps[i] for i in self.taken]
        if self.atrous is not None:
            out[-1] = self.atrous(out[-1])
        for make in self.coarser:
            out.append(make(out[-1]))
        return [self.unit(out[0]), *out[1:]]


def _halving(inputs: int, outputs: int, light: bool) -> nn.Module:
    half = max(1, outputs // 2)
    narrow = ConvUnit(inputs, half, 1, activation="relu")
    if light:
        wide = ConvUnit(half, outputs, 1, activation="relu")
        return nn.Sequential(narrow, ConvUnit(half, half, 3, 2, groups=half, activation="relu"), wide)
    return nn.Sequential(narrow, ConvUnit(half, outputs, 3, 2, activation="relu"))


def neck(
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    width: int = 256,
    levels: Sequence[int] | None = None,
    extra: int = 2,
    light: bool = False,
    atrous: int = 0,
) -> Ladder:
    """The maps.

    Args:
        channels, strides: the backbone's.
        width: channels of the levels that are made.
        levels, extra: see `plan_levels`.
        light: depthwise convolutions.
        atrous: width of a convolution with holes behind the coarsest map of the backbone, see `Atrous`; 0: none.
    """
    return Ladder(channels, strides, width, levels, extra, light, atrous)

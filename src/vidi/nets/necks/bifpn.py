"""Weighted two-way feature pyramid, repeated.

Design: Tan, Pang and Le 2020, *EfficientDet*, arXiv:1911.09070, with fast normalized fusion: each input of a sum has a learned weight
that is never negative, and the weights of a sum are divided by their total.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.blocks.csp import ConvUnit
from vidi.nets.necks._base import Neck, plan_levels, resized

SMALL = 1e-4


class Fuse(nn.Module):
    """Weighted sum of maps of one size, activation, separable 3×3 convolution."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(inputs))
        self.spatial = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.mix = ConvUnit(width, width, 1, activation=None)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        weight = F.relu(self.weight)
        share = weight / (weight.sum() + SMALL)
        total = maps[0] * share[0]
        for i in range(1, len(maps)):
            total = total + maps[i] * share[i]
        return self.mix(self.spatial(F.silu(total)))


class Layer(nn.Module):
    """One round: coarse to fine, then fine to coarse, where inner levels see their input again."""

    def __init__(self, levels: int, width: int):
        super().__init__()
        self.down = nn.ModuleList(Fuse(2, width) for _ in range(levels - 1))
        self.up = nn.ModuleList(Fuse(3 if i < levels - 2 else 2, width) for i in range(levels - 1))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        falling = list(maps)
        for i in reversed(range(len(maps) - 1)):
            falling[i] = self.down[i]([maps[i], resized(falling[i + 1], maps[i])])
        out = falling[:1]
        for i in range(1, len(maps)):
            finer = F.adaptive_max_pool2d(out[-1], maps[i].shape[2:])
            inputs = [maps[i], falling[i], finer] if i < len(maps) - 1 else [maps[i], finer]
            out.append(self.up[i - 1](inputs))
        return out


class BiFPN(Neck):
    """See `neck` for the arguments."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        width: int = 64,
        levels: Sequence[int] | None = None,
        extra: int = 0,
        repeats: int = 3,
    ):
        super().__init__()
        plan = plan_levels(strides, levels, extra)
        self.taken = plan.taken
        self.laterals = nn.ModuleList(ConvUnit(channels[i], width, 1, activation=None) for i in plan.taken)
        self.coarser = nn.ModuleList(ConvUnit(width, width, 3, 2, activation=None) for _ in range(plan.made))
        self.rounds = nn.ModuleList(Layer(len(plan.strides), width) for _ in range(repeats))
        self.channels, self.strides = (width,) * len(plan.strides), plan.strides

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(maps[i]) for lateral, i in zip(self.laterals, self.taken)]
        for make in self.coarser:
            levels.append(make(levels[-1]))
        for layer in self.rounds:
            levels = layer(levels)
        return levels


def neck(
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    width: int = 64,
    levels: Sequence[int] | None = None,
    extra: int = 0,
    repeats: int = 3,
) -> BiFPN:
    """The pyramid.

    Args:
        channels, strides: the backbone's.
        width: channels of every level.
        levels, extra: see `plan_levels`.
        repeats: rounds, 3 to 8 in the paper.
    """
    return BiFPN(channels, strides, width, levels, extra, repeats)

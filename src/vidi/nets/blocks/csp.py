"""Cross-stage-partial blocks: what one-stage detectors' backbones and necks are made of.

Design: Wang et al. 2020, *CSPNet*, arXiv:1911.11929; the split into many short paths follows Wang et al. 2022, *ELAN*, arXiv:2211.04800;
pyramid pooling: He et al. 2014, arXiv:1406.4729. Norms have the momentum and epsilon that YOLO nets train with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOMENTUM, EPSILON = 0.03, 1e-3
ACTIVATIONS = {"silu": nn.SiLU, "relu": nn.ReLU, "hardswish": nn.Hardswish}


class ConvUnit(nn.Module):
    """Convolution, batch norm, activation.

    Args:
        inputs, outputs: channels.
        size: side of the kernel, odd.
        stride: step.
        groups: groups of channels.
        activation: ``silu``, ``relu``, ``hardswish`` or None.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1, activation: str | None = "silu"
    ):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM)
        self.activation = ACTIVATIONS[activation](inplace=True) if activation else nn.Identity()
        nn.init.normal_(self.conv.weight, std=(2 * groups / (outputs * size * size)) ** 0.5)  # He et al. 2015, by group

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class Residual(nn.Module):
    """Two 3×3 convolutions, added to their input where asked for."""

    def __init__(self, channels: int, shortcut: bool = True, activation: str = "silu"):
        super().__init__()
        self.first = ConvUnit(channels, channels, 3, activation=activation)
        self.second = ConvUnit(channels, channels, 3, activation=activation)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return x + y if self.shortcut else y


class CSPBlock(nn.Module):
    """Half of the channels pass by, half go through a row of blocks; every step's result is kept, and a 1×1 mixes them all.

    Args:
        inputs, outputs: channels.
        depth: blocks in the row.
        shortcut: blocks are residual (in backbones; not in necks).
        activation: see `ConvUnit`.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 1, shortcut: bool = True, activation: str = "silu"):
        super().__init__()
        half = max(1, outputs // 2)
        self.split = ConvUnit(inputs, 2 * half, 1, activation=activation)
        self.blocks = nn.ModuleList(Residual(half, shortcut, activation) for _ in range(depth))
        self.mix = ConvUnit((2 + depth) * half, outputs, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.split(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.mix(torch.cat(parts, 1))


class PyramidPool(nn.Module):
    """The map beside itself pooled over 5×5, 9×9 and 13×13 cells (three 5×5 poolings in a row)."""

    def __init__(self, inputs: int, outputs: int, activation: str = "silu"):
        super().__init__()
        half = max(1, inputs // 2)
        self.narrow = ConvUnit(inputs, half, 1, activation=activation)
        self.mix = ConvUnit(4 * half, outputs, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.narrow(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.mix(torch.cat(parts, 1))

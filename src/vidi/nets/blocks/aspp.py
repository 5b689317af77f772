"""Atrous spatial pyramid pooling: one map seen with several reaches at once, and as a whole (Chen et al. 2017, arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidi.nets.blocks.pixels import conv_unit


def separable(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """A 3×3 convolution of each channel alone, then a 1×1 one, each with batch norm and ReLU."""
    return nn.Sequential(conv_unit(inputs, inputs, 3, dilation=dilation, groups=inputs), conv_unit(inputs, outputs, 1))


class ASPP(nn.Module):
    """A 1×1 convolution, one 3×3 convolution per rate, and the mean over the picture, side by side, mixed by a 1×1 convolution.

    Args:
        inputs, outputs: channels.
        rates: holes of the 3×3 convolutions, in cells of the map.
        narrow: the 3×3 convolutions are depthwise separable (arXiv:1802.02611).
        dropout: share of the mixed channels dropped in training, 0..1.
    """

    def __init__(self, inputs: int, outputs: int, rates: Sequence[int], narrow: bool = False, dropout: float = 0.1):
        super().__init__()
        reach = [separable(inputs, outputs, rate) if narrow else conv_unit(inputs, outputs, 3, dilation=rate) for rate in rates]
        self.branches = nn.ModuleList([conv_unit(inputs, outputs, 1), *reach])
        self.whole = conv_unit(inputs, outputs, 1)
        self.mix = conv_unit((len(rates) + 2) * outputs, outputs, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        whole = self.whole(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3])
        return self.dropout(self.mix(torch.cat([*(branch(x) for branch in self.branches), whole], 1)))

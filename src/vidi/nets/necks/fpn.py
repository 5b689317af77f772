"""Feature pyramid: coarse maps flow down into finer ones.

Design: Lin et al. 2017, *Feature Pyramid Networks*, arXiv:1612.03144. Extra coarse levels as in RetinaNet (Lin et al. 2017,
arXiv:1708.02002): halved from the coarsest output. Batch norm is on by default, which training from random weights needs (He et al. 2019,
*Rethinking ImageNet Pre-training*, arXiv:1811.08883).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.necks._base import Neck, plan_levels, resized


class FPN(Neck):
    """See `neck` for the arguments."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        width: int = 256,
        levels: Sequence[int] | None = None,
        extra: int = 0,
        norm: bool = True,
    ):
        super().__init__()
        plan = plan_levels(strides, levels, extra)
        self.taken = plan.taken
        self.laterals = nn.ModuleList(_conv(channels[i], width, 1, 1, norm) for i in plan.taken)
        self.outputs = nn.ModuleList(_conv(width, width, 3, 1, norm) for _ in plan.taken)
        self.coarser = nn.ModuleList(_conv(width, width, 3, 2, norm) for _ in range(plan.made))
        self.channels, self.strides = (width,) * len(plan.strides), plan.strides

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        rising = [lateral(maps[i]) for lateral, i in zip(self.laterals, self.taken)]
        for i in reversed(range(len(rising) - 1)):
            rising[i] = rising[i] + resized(rising[i + 1], rising[i])
        out = [output(x) for output, x in zip(self.outputs, rising)]
        for i, halve in enumerate(self.coarser):
            out.append(halve(F.relu(out[-1]) if i else out[-1]))
        return out


def _conv(inputs: int, outputs: int, size: int, stride: int, norm: bool) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=not norm)
    nn.init.kaiming_uniform_(conv.weight, a=1)
    if conv.bias is None:
        return nn.Sequential(conv, nn.BatchNorm2d(outputs))
    nn.init.zeros_(conv.bias)
    return conv


def neck(
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    width: int = 256,
    levels: Sequence[int] | None = None,
    extra: int = 0,
    norm: bool = True,
) -> FPN:
    """The pyramid.

    Args:
        channels, strides: the backbone's.
        width: channels of every level that comes out.
        levels, extra: see `plan_levels`.
        norm: batch norm behind each convolution.
    """
    return FPN(channels, strides, width, levels, extra, norm)

"""No mixing of levels: each map goes through a 1×1 convolution of its own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vidi.nets.blocks.csp import ConvUnit
from vidi.nets.necks._base import Neck, plan_levels


class Plain(Neck):
    """See `neck` for the arguments."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        width: int = 128,
        levels: Sequence[int] | None = None,
        extra: int = 0,
    ):
        super().__init__()
        plan = plan_levels(strides, levels, extra)
        self.taken = plan.taken
        self.laterals = nn.ModuleList(ConvUnit(channels[i], width, 1) for i in plan.taken)
        self.coarser = nn.ModuleList(ConvUnit(width, width, 3, 2) for _ in range(plan.made))
        self.channels, self.strides = (width,) * len(plan.strides), plan.strides

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(maps[i]) for lateral, i in zip(self.laterals, self.taken)]
        for make in self.coarser:
            levels.append(make(levels[-1]))
        return levels


def neck(
    channels: Sequence[int], strides: Sequence[int], *, width: int = 128, levels: Sequence[int] | None = None, extra: int = 0
) -> Plain:
    """The maps.

    Args:
        channels, strides: the backbone's.
        width: channels of every level that comes out.
        levels, extra: see `plan_levels`.
    """
    return Plain(channels, strides, width, levels, extra)

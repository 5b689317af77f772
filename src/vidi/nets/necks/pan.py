"""Path aggregation: a feature pyramid, then a second path from fine to coarse.

Design: Liu et al. 2018, *Path Aggregation Network*, arXiv:1803.01534, in the concatenating form with CSP blocks that YOLO nets use
(Bochkovskiy et al. 2020, arXiv:2004.10934).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidi.nets.blocks.csp import ConvUnit, CSPBlock
from vidi.nets.necks._base import Neck, plan_levels, resized


class PAN(Neck):
    """See `neck` for the arguments."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        width: int | None = None,
        levels: Sequence[int] | None = None,
        extra: int = 0,
        depth: int = 1,
        widest: int | None = None,
    ):
        super().__init__()
        plan = plan_levels(strides, levels, extra)
        given = [channels[i] for i in plan.taken]
        first = given[0] if width is None else width
        most = 4 * first if widest is None else widest
        wide = [min(first * 2**i, most) for i in range(len(plan.strides))]
        if width is None:
            wide = given + [given[-1]] * plan.made
        self.taken = plan.taken
        # 1×1 only where the backbone's width is another one
        self.laterals = nn.ModuleList(ConvUnit(c, w, 1) if c != w else nn.Identity() for c, w in zip(given, wide))
        made = range(len(given), len(wide))
        self.coarser = nn.ModuleList(ConvUnit(wide[i - 1], wide[i], 3, 2) for i in made)
        steps = range(len(wide) - 1)
        self.down = nn.ModuleList(CSPBlock(wide[i] + wide[i + 1], wide[i], depth, shortcut=False) for i in steps)
        self.halve = nn.ModuleList(ConvUnit(wide[i], wide[i], 3, 2) for i in steps)
        self.up = nn.ModuleList(CSPBlock(wide[i] + wide[i + 1], wide[i + 1], depth, shortcut=False) for i in steps)
        self.channels, self.strides = tuple(wide), plan.strides

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(maps[i]) for lateral, i in zip(self.laterals, self.taken)]
        for make in self.coarser:
            levels.append(make(levels[-1]))
        for i in reversed(range(len(levels) - 1)):
            levels[i] = self.down[i](torch.cat([resized(levels[i + 1], levels[i]), levels[i]], 1))
        for i in range(len(levels) - 1):
            levels[i + 1] = self.up[i](torch.cat([resized(self.halve[i](levels[i]), levels[i + 1]), levels[i + 1]], 1))
        return levels


def neck(
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    width: int | None = None,
    levels: Sequence[int] | None = None,
    extra: int = 0,
    depth: int = 1,
    widest: int | None = None,
) -> PAN:
    """The two paths.

    Args:
        channels, strides: the backbone's.
        width: channels of the finest level, doubled at each coarser one; None: the backbone's own.
        levels, extra: see `plan_levels`.
        depth: blocks in each CSP block.
        widest: most channels of a level; None: four times `width`.
    """
    return PAN(channels, strides, width, levels, extra, depth, widest)

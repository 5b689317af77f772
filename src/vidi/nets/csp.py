"""CSP backbone in sizes n to x: what YOLO nets stand on, and a classifier of its own.

Design: cross-stage-partial blocks and pyramid pooling, see `vidi.nets.blocks.csp`; widths and depths scale together by size (Wang et al.
2021, *Scaled-YOLOv4*, arXiv:2011.08036). Written anew; no published weights fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError, nearest
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.csp import ConvUnit, CSPBlock, PyramidPool
from vidi.nets.blocks.pooled import Pooled

# factor on depth, factor on width, most channels before the factor
SIZES = {"n": (1 / 3, 0.25, 1024), "s": (1 / 3, 0.5, 1024), "m": (2 / 3, 0.75, 768), "l": (1, 1, 512), "x": (1, 1.25, 512)}
WIDTHS, DEPTHS = (64, 128, 256, 512, 1024), (3, 6, 6, 3)


def widths_of(size: str, width: float | None = None) -> tuple[int, ...]:
    """Channels at strides 2, 4, 8, 16, 32: multiples of 8.

    Raises:
        RecipeError: no such size, or a factor out of range.
    """
    if size not in SIZES:
        close = nearest(str(size), SIZES)
        raise RecipeError("no such size", at="size", value=size, fix=close[0] if close else ", ".join(SIZES))
    _, factor, most = SIZES[size]
    factor = factor if width is None else width
    if not 0.02 <= factor <= 4:
        raise RecipeError("between 0.02 and 4", at="width", value=width)
    return tuple(max(8, round(min(channels, most) * factor / 8) * 8) for channels in WIDTHS)


def depth_of(size: str, steps: int, depth: float | None = None) -> int:
    """Blocks in a row where size l has `steps`."""
    return max(1, round(steps * (SIZES[size][0] if depth is None else depth)))


class CSP(Backbone):
    """Maps at strides 2, 4, 8, 16, 32; see `net` for the arguments."""

    def __init__(self, size: str = "n", width: float | None = None, depth: float | None = None, in_channels: int = 3):
        super().__init__()
        self.channels, self.strides = widths_of(size, width), (2, 4, 8, 16, 32)
        self.stem = ConvUnit(in_channels, self.channels[0], 3, 2)
        for i, steps in enumerate(DEPTHS, 1):
            inputs, outputs = self.channels[i - 1 : i + 1]
            parts: list[nn.Module] = [ConvUnit(inputs, outputs, 3, 2), CSPBlock(outputs, outputs, depth_of(size, steps, depth))]
            if i == len(DEPTHS):
                parts.append(PyramidPool(outputs, outputs))
            self.add_module(f"stage{i}", nn.Sequential(*parts))
            self.points[f"stage{i}.1"] = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.stem(x)]
        for i in range(1, len(DEPTHS) + 1):
            maps.append(getattr(self, f"stage{i}")(maps[-1]))
        return maps

    def stages(self) -> dict[str, nn.Module]:
        return {name: getattr(self, name) for name in ("stem", *(f"stage{i}" for i in range(1, len(DEPTHS) + 1)))}


def backbone(*, size: str = "n", width: float | None = None, depth: float | None = None, in_channels: int = 3) -> CSP:
    """See `net`."""
    return CSP(size, width, depth, in_channels)


def net(
    space: Space,
    head: str,
    *,
    size: str = "n",
    width: float | None = None,
    depth: float | None = None,
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        size: n, s, m, l or x.
        width: factor on all channels, 0.02 to 4; None: the size's (0.25 to 1.25).
        depth: factor on the blocks in a row; None: the size's (1/3 to 1).
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(size=size, width=width, depth=depth, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

"""A fine map of any backbone, pooled in horizontal stripes: for things that stand upright and are told apart by what each part looks like.

Design: Sun et al. 2018, *Beyond Part Models* (PCB), arXiv:1711.09349, on a map of the middle of the backbone rather than its last one.
What a backbone knows of color and texture is there; its last maps know classes, and say little about which person it is. What lies behind
that map is left out, so that the net is also smaller and faster than its backbone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.cut import cut
from vidi.nets.blocks.pooled import Pooled


def net(
    space: Space,
    head: str,
    *,
    backbone: str = "efficientnet(variant=lite0)",
    stride: int = 8,
    parts: int = 6,
    attention: str | None = None,
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        backbone: a net's name or path with settings.
        stride: pixels per cell of the map that is read.
        parts: stripes.
        attention, dropout, in_channels, head_options: see `Pooled`.
    """
    body = create_backbone(backbone, in_channels)
    if stride not in body.strides:
        raise RecipeError("the backbone has no map of this stride", at="stride", value=stride, fix=f"one of: {', '.join(map(str, body.strides))}")
    level = body.strides.index(stride)
    cut(body, level, in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=f"stripes(count={parts})", level=level, dropout=dropout, in_channels=in_channels,
        head_options=head_options,
    )  # fmt: skip

"""Attention blocks of timm, inserted so that a trained net computes what it did before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vidi.errors import ChoiceError, nearest
from vidi.nets.blocks.backbone import Backbone

# Those of timm's blocks that keep the shape at any width and picture size.
ATTENTIONS: dict[str, dict[str, Any]] = {
    "cbam": {},  # Woo et al. 2018, arXiv:1807.06521
    "ceca": {},  # ECA, circular
    "coord": {},  # Hou et al. 2021, arXiv:2103.02907
    "eca": {},  # Wang et al. 2020, arXiv:1910.03151
    "ecam": {},  # ECA with an MLP
    "ela": {},  # Xu and Wan 2024, arXiv:2403.01123
    "ese": {},  # Lee and Park 2020, arXiv:1911.06667
    "gc": {},  # Cao et al. 2019, arXiv:1904.11492
    "gca": {},  # the same, added instead of multiplied
    "ge": {"use_mlp": False},  # Hu et al. 2018, arXiv:1810.12348, without parameters
    "lcbam": {},  # CBAM, light
    "nl": {},  # Wang et al. 2018, arXiv:1711.07971
    "scoord": {},  # coordinate attention, simple
    "se": {},  # Hu et al. 2018, arXiv:1709.01507
    "sk": {},  # Li et al. 2019, arXiv:1903.06586
    "splat": {},  # Zhang et al. 2020, arXiv:2004.08955
    "strip": {},  # Hou et al. 2020, arXiv:2003.13328
}


class Attention(nn.Module):
    """x + gamma·(block(x) − x) with a learned gamma that starts at zero, so the output is x at first."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block, self.gamma = block, nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * (self.block(x) - x)


def _attend(module: Any, inputs: Any, output: Tensor) -> Tensor:
    return module.attention(output)


def create_attention(name: str, channels: int) -> Attention:
    """The block of a name for maps of a width.

    Raises:
        ChoiceError: no such block.
    """
    if name not in ATTENTIONS:
        close = nearest(name, ATTENTIONS)
        raise ChoiceError(
            "no such attention",
            at="attention",
            value=name,
            fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(ATTENTIONS)}",
        )
    from timm.layers import create_attn

    return Attention(create_attn(name, channels, **ATTENTIONS[name]))


def insert_attention(backbone: Backbone, name: str, where: str = "blocks") -> list[str]:
    """Put an attention block behind parts of a backbone; parameter names of everything else stay as they were.

    Args:
        backbone: changed in place.
        name: a name of `ATTENTIONS`, or ``name@where``.
        where: ``blocks`` (behind each point of the backbone), ``stages`` (behind the last one of each stage), or the names of
            stages with commas.

    Returns:
        The parts that got one.

    Raises:
        ChoiceError: no such attention or place.
    """
    name, _, place = name.partition("@")
    where = place or where
    chosen = _points(backbone, where)
    for path in chosen:
        part = backbone.get_submodule(path)
        part.add_module("attention", create_attention(name, backbone.points[path]))
        if not isinstance(part, nn.Sequential):
            part.register_forward_hook(_attend)
    return chosen


def _points(backbone: Backbone, where: str) -> list[str]:
    if not backbone.points:
        raise ChoiceError("this backbone has no place for attention", at="attention", fix="attention=None")
    if where == "blocks":
        return list(backbone.points)
    by_stage: dict[str, list[str]] = {}
    for stage, module in backbone.stages().items():
        members = set(module.modules())
        by_stage[stage] = [path for path in backbone.points if backbone.get_submodule(path) in members]
    if where == "stages":
        return [paths[-1] for paths in by_stage.values() if paths]
    wanted = [stage.strip() for stage in where.split(",")]
    known = [stage for stage, paths in by_stage.items() if paths]
    for stage in wanted:
        if stage not in known:
            raise ChoiceError(
                "no such place for attention",
                at="attention",
                value=stage,
                fix=f"blocks, stages, or some of: {', '.join(known)}",
            )
    return [path for stage in wanted for path in by_stage[stage]]

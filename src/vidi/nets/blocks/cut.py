"""A backbone without what comes behind one of its maps."""

from __future__ import annotations

import torch
from torch import nn

from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.library import TRIAL_SIDE


def cut(backbone: Backbone, level: int, in_channels: int = 3) -> list[str]:
    """Empty the stages that have no part in a map, so that they take neither time nor place.

    Args:
        backbone: changed in place; its maps up to `level` stay what they are, those behind are of no use any more.
        level: the map, counted from the fine end.
        in_channels: channels of the pictures.

    Returns:
        Names of the stages that are empty now.
    """
    if level == len(backbone.strides) - 1:
        return []
    was = backbone.training
    backbone.eval()
    parameters = {name: [p for p in stage.parameters() if p.requires_grad] for name, stage in backbone.stages().items()}
    flat = [p for part in parameters.values() for p in part]
    with torch.enable_grad():
        found = backbone(torch.zeros(1, in_channels, TRIAL_SIDE, TRIAL_SIDE))[level]
        used = {id(p) for p, g in zip(flat, torch.autograd.grad(found.sum(), flat, allow_unused=True)) if g is not None}
    idle = {name: stage for name, stage in backbone.stages().items() if parameters[name] and not any(id(p) in used for p in parameters[name])}
    for path, module in list(backbone.named_modules()):
        if any(module is stage for stage in idle.values()):
            parent, _, name = path.rpartition(".")
            setattr(backbone.get_submodule(parent), name, nn.Identity())
    there = {path for path, _ in backbone.named_modules()}
    backbone.points = {path: width for path, width in backbone.points.items() if path in there}
    backbone.train(was)
    return list(idle)

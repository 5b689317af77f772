"""Backbones whose last stages keep the resolution: strides give way to holes in the later filters.

Design: Chen et al. 2017, *Rethinking Atrous Convolution*, arXiv:1706.05587. Parameters stay as they are, so published weights fit, and the
maps at every so-many-th place are those of the backbone as it was.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone

TRIAL_SIDE = 128
WINDOWS = (nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d)


def dilated(backbone: Backbone, output_stride: int) -> Backbone:
    """The backbone, changed in place so that no map is coarser than a stride.

    Args:
        backbone: of vidi or timm, made of convolutions; without attention as yet.
        output_stride: a power of two, such as 8 or 16.

    Raises:
        RecipeError: the backbone halves its maps by other means than convolutions with odd kernels and 2×2 means, or has no such stride.
    """
    if output_stride >= backbone.strides[-1]:
        return backbone
    if output_stride not in backbone.strides:
        raise RecipeError("the backbone has no map of this stride", at="output_stride", value=output_stride,
                          fix=f"one of: {', '.join(map(str, backbone.strides))}")  # fmt: skip
    for name, module in list(backbone.named_modules()):
        if isinstance(module, nn.AvgPool2d) and _pair(module.kernel_size) == _pair(module.stride) == (2, 2):
            backbone.set_submodule(name, OpenPool())
    for module, stride in _strides(backbone):
        _open(module, stride, output_stride)
    sizes = [(level.shape[2], level.shape[3]) for level in _tried(backbone)]
    wanted = [TRIAL_SIDE // min(stride, output_stride) for stride in backbone.strides]
    if sizes != [(side, side) for side in wanted]:
        raise _refused(output_stride)
    backbone.strides = tuple(min(stride, output_stride) for stride in backbone.strides)
    return backbone


class OpenPool(nn.Module):
    """The mean of 2×2 cells: at every second place, or at every place, of cells so many steps apart.

    Attributes:
        holes: steps between the four cells; 0: they are neighbors, and the map is halved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.holes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.holes:
            return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        x = F.pad(x, (0, self.holes, 0, self.holes), mode="replicate")
        x = x[:, :, self.holes :] + x[:, :, : -self.holes]
        return (x[:, :, :, self.holes :] + x[:, :, :, : -self.holes]) / 4


def _channels(backbone: Backbone) -> int:
    first = next(module for module in backbone.modules() if isinstance(module, nn.Conv2d))
    return first.in_channels


@torch.no_grad()
def _tried(backbone: Backbone) -> list[torch.Tensor]:
    was = backbone.training
    backbone.eval()
    try:
        return backbone(torch.zeros(1, _channels(backbone), TRIAL_SIDE, TRIAL_SIDE))
    finally:
        backbone.train(was)


def _strides(backbone: Backbone) -> list[tuple[nn.Module, int]]:
    """Convolutions and poolings in the order of use, with the stride of the maps they read."""
    found: list[tuple[nn.Module, int]] = []

    def note(module: nn.Module, inputs: Any) -> None:
        x = inputs[0]
        if x.shape[2] > 1:  # maps of one cell are pooled vectors
            found.append((module, max(1, round(TRIAL_SIDE / x.shape[2]))))

    kinds = (nn.Conv2d, OpenPool, *WINDOWS)
    hooks = [module.register_forward_pre_hook(note) for module in backbone.modules() if isinstance(module, kinds)]
    try:
        _tried(backbone)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _open(module: Any, stride: int, output_stride: int) -> None:
    """Let a module that read maps of a stride read them at the output stride instead."""
    holes = max(1, stride // output_stride)
    if isinstance(module, OpenPool):
        module.holes = holes if 2 * stride > output_stride else 0
        return
    step, size = _pair(module.stride), _pair(module.kernel_size)
    if stride * max(step) <= output_stride:
        return
    even = any(side % 2 == 0 for side in size)
    if (even or not isinstance(module, nn.Conv2d)) and (max(step) > 1 or max(size) > 1):
        raise _refused(output_stride)
    if max(step) > 1:
        if stride * max(step) > output_stride > stride:
            raise _refused(output_stride)
        module.stride = (1, 1)
    if isinstance(module.padding, str):
        raise _refused(output_stride)
    old, padding = _pair(module.dilation), _pair(module.padding)
    module.dilation = (old[0] * holes, old[1] * holes)
    module.padding = (padding[0] * holes, padding[1] * holes)
    if hasattr(module, "_reversed_padding_repeated_twice"):
        module._reversed_padding_repeated_twice = [side for side in reversed(module.padding) for _ in range(2)]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _refused(output_stride: int) -> RecipeError:
    return RecipeError("this backbone halves its maps by other means than convolutions with odd kernels or 2×2 means, which holes cannot replace",
                       at="output_stride", value=output_stride, fix="resnet, mobilenet, csp, efficientnet, or timm(name=resnet50)")  # fmt: skip

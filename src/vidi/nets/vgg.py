"""VGG-11 to -19, with and without batch normalization.

Design: Simonyan and Zisserman 2015, *Very Deep Convolutional Networks*, arXiv:1409.1556. Parameter names and order of the convolutions
follow torchvision (BSD-3-Clause), whose and timm's weights load. The three 4096-wide layers behind them, made for 224-pixel pictures and
85 % of the parameters, give way to pooling and one linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone, halve
from vidi.nets.blocks.pooled import Pooled

DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(Backbone):
    """Maps at strides 1, 2, 4, 8, 16 (before each pooling) and 32; see `net` for the arguments."""

    def __init__(self, depth: int = 11, bn: bool = True, width: int = 64, in_channels: int = 3):
        super().__init__()
        if depth not in DEPTHS:
            raise RecipeError(f"one of {', '.join(map(str, DEPTHS))}", at="depth", value=depth)
        inputs, index, widths, points = in_channels, 0, [], {}
        for i, count in enumerate(DEPTHS[depth]):
            outputs, layers = width * min(2**i, 8), []
            for _ in range(count):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1)] + [nn.BatchNorm2d(outputs)] * bn + [nn.ReLU(inplace=True)]
                inputs = outputs
            name = f"stage{i + 1}"
            for j in range(len(layers)):
                self.aliases[f"features.{index + j}."] = f"{name}.{j}."
            setattr(self, name, nn.Sequential(*layers))
            points[f"{name}.{len(layers) - 1}"] = outputs
            index += len(layers) + 1
            widths.append(outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
        self.channels, self.strides = (*widths, widths[-1]), (1, 2, 4, 8, 16, 32)
        self.points, self.timm_name = points, f"vgg{depth}" + ("_bn" if bn else "") if width == 64 else ""

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages().values():
            x = stage(x)
            maps.append(x)
            x = halve(x)
        return [*maps, x]

    def stages(self) -> dict[str, nn.Module]:
        return {f"stage{i}": getattr(self, f"stage{i}") for i in range(1, 6)}


def backbone(*, depth: int = 11, bn: bool = True, width: int = 64, in_channels: int = 3) -> VGG:
    """See `net`."""
    return VGG(depth, bn, width, in_channels)


def net(
    space: Space,
    head: str,
    *,
    depth: int = 11,
    bn: bool = True,
    width: int = 64,
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        depth: 11, 13, 16 or 19 layers, counted as in the paper.
        bn: batch normalization behind each convolution.
        width: channels of the first layer; published weights have 64.
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(depth=depth, bn=bn, width=width, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

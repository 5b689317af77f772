"""DenseNet-121 to -201.

Design: Huang et al. 2017, *Densely Connected Convolutional Networks*, arXiv:1608.06993. Parameter names and order follow torchvision
(BSD-3-Clause), whose and timm's weights load; the code is written anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone, halve
from vidi.nets.blocks.pooled import Pooled

DEPTHS = {121: (32, (6, 12, 24, 16)), 161: (48, (6, 12, 36, 24)), 169: (32, (6, 12, 32, 32)), 201: (32, (6, 12, 48, 32))}


class _Layer(nn.Module):
    """1×1 and 3×3 convolutions that add `growth` channels."""

    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(x)))


class _DenseBlock(nn.Module):
    def __init__(self, inputs: int, count: int, growth: int):
        super().__init__()
        self.names = [f"denselayer{i + 1}" for i in range(count)]
        for i, name in enumerate(self.names):
            self.add_module(name, _Layer(inputs + i * growth, growth))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for name in self.names:
            maps.append(getattr(self, name)(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class _Transition(nn.Module):
    def __init__(self, inputs: int):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, inputs // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return halve(self.conv(F.relu(self.norm(x))), mean=True)


class DenseNet(Backbone):
    """Maps at strides 2, 4, 8, 16, 32 (imagenet stem) or 1, 2, 4, 8 (small stem); see `net` for the arguments."""

    def __init__(
        self,
        depth: int = 121,
        stem: str = "imagenet",
        growth: int | None = None,
        blocks: tuple[int, ...] | None = None,
        in_channels: int = 3,
    ):
        super().__init__()
        if depth not in DEPTHS:
            raise RecipeError(f"one of {', '.join(map(str, DEPTHS))}", at="depth", value=depth)
        if stem not in ("imagenet", "small"):
            raise RecipeError("imagenet or small", at="stem", value=stem)
        published = growth is None and blocks is None
        growth, blocks = growth or DEPTHS[depth][0], tuple(blocks or DEPTHS[depth][1])
        self.small, width = stem == "small", 2 * growth
        first = nn.Conv2d(
            in_channels, width, 3 if self.small else 7, 1 if self.small else 2, 1 if self.small else 3, bias=False
        )
        self.stem = nn.Sequential(OrderedDict(conv0=first, norm0=nn.BatchNorm2d(width), relu0=nn.ReLU(inplace=True)))
        self.count, widths = len(blocks), []
        for i, count in enumerate(blocks):
            name = f"denseblock{i + 1}"
            self.add_module(name, _DenseBlock(width, count, growth))
            width += count * growth
            widths.append(width)
            self.points[name] = width
            if i + 1 < self.count:
                self.add_module(f"transition{i + 1}", _Transition(width))
                width //= 2
        self.norm5 = nn.BatchNorm2d(width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        strides = tuple(2**i for i in range(self.count))
        self.channels, self.strides = tuple(widths), strides
        if not self.small:
            self.channels, self.strides = (2 * growth, *widths), (2, *(4 * stride for stride in strides))
        self.aliases = {"features.conv0.": "stem.conv0.", "features.norm0.": "stem.norm0.", "features.": ""}
        self.timm_name = f"densenet{depth}" if published else ""

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = [] if self.small else [x]
        if not self.small:
            x = F.max_pool2d(x, 3, 2, 1)
        for i in range(1, self.count):
            x = getattr(self, f"denseblock{i}")(x)
            maps.append(x)
            x = getattr(self, f"transition{i}")(x)
        return [*maps, F.relu(self.norm5(getattr(self, f"denseblock{self.count}")(x)))]

    def stages(self) -> dict[str, nn.Module]:
        names = ["stem"]
        for i in range(1, self.count + 1):
            names += [f"denseblock{i}", f"transition{i}" if i < self.count else "norm5"]
        return {name: getattr(self, name) for name in names}


def backbone(
    *,
    depth: int = 121,
    stem: str = "imagenet",
    growth: int | None = None,
    blocks: tuple[int, ...] | None = None,
    in_channels: int = 3,
) -> DenseNet:
    """See `net`."""
    return DenseNet(depth, stem, growth, blocks, in_channels)


def net(
    space: Space,
    head: str,
    *,
    depth: int = 121,
    stem: str = "imagenet",
    growth: int | None = None,
    blocks: tuple[int, ...] | None = None,
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        depth: 121, 161, 169 or 201 layers.
        stem: ``imagenet`` quarters the picture at once; ``small`` keeps its size, for pictures below about 96 pixels.
        growth, blocks: channels each layer adds and layers per block, instead of the depth's (published weights need the depth's).
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(depth=depth, stem=stem, growth=growth, blocks=blocks, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

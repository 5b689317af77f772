"""ResNet-18 to -152.

Design: He et al. 2016, *Deep Residual Learning*, arXiv:1512.03385, in the "v1.5" form that strides in the 3×3 convolution. Parameter
names and order follow torchvision (BSD-3-Clause), whose and timm's weights load; the code is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.pooled import Pooled

DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class _Residual(nn.Module):
    """What both kinds of block share: activation, shortcut, initial values."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def shortcut(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)


class BasicBlock(_Residual):
    """Two 3×3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__(inputs, width, stride)
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(_Residual):
    """1×1, 3×3 and 1×1 convolutions around a shortcut; four times the width comes out."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__(inputs, 4 * width, stride)
        self.conv1, self.bn1 = _conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class _Stem(nn.Module):
    def __init__(self, in_channels: int, width: int, small: bool):
        super().__init__()
        self.conv1 = _conv(in_channels, width, 3) if small else _conv(in_channels, width, 7, 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn1(self.conv1(x)))


class ResNet(Backbone):
    """Maps at strides 2, 4, 8, 16, 32 (imagenet stem) or 1, 2, 4, 8 (small stem); see `net` for the arguments."""

    def __init__(self, depth: int = 18, stem: str = "imagenet", width: int = 64, in_channels: int = 3):
        super().__init__()
        if depth not in DEPTHS:
            raise RecipeError(f"one of {', '.join(map(str, DEPTHS))}", at="depth", value=depth)
        if stem not in ("imagenet", "small"):
            raise RecipeError("imagenet or small", at="stem", value=stem)
        kind, counts = DEPTHS[depth]
        self.small = stem == "small"
        self.stem = _Stem(in_channels, width, self.small)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        block, inputs, points = (BasicBlock if kind == "basic" else Bottleneck), width, {}
        for i, count in enumerate(counts):
            layers = []
            for j in range(count):
                layers.append(block(inputs, width * 2**i, 2 if i and not j else 1))
                inputs = width * 2**i * block.expansion
                points[f"layer{i + 1}.{j}"] = inputs
            self.add_module(f"layer{i + 1}", nn.Sequential(*layers))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        maps = tuple(width * 2**i * block.expansion for i in range(4))
        self.channels, self.strides = (maps, (1, 2, 4, 8)) if self.small else ((width, *maps), (2, 4, 8, 16, 32))
        self.points, self.aliases = points, {"conv1.": "stem.conv1.", "bn1.": "stem.bn1."}
        self.timm_name = f"resnet{depth}" if width == 64 else ""

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = [] if self.small else [x]
        if not self.small:
            x = self.maxpool(x)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = getattr(self, name)(x)
            maps.append(x)
        return maps

    def stages(self) -> dict[str, nn.Module]:
        return {name: getattr(self, name) for name in ("stem", "layer1", "layer2", "layer3", "layer4")}


def backbone(*, depth: int = 18, stem: str = "imagenet", width: int = 64, in_channels: int = 3) -> ResNet:
    """See `net`."""
    return ResNet(depth, stem, width, in_channels)


def net(
    space: Space,
    head: str,
    *,
    depth: int = 18,
    stem: str = "imagenet",
    width: int = 64,
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        depth: 18, 34, 50, 101 or 152 layers.
        stem: ``imagenet`` quarters the picture at once (7×7 convolution, max-pooling); ``small`` keeps its size (3×3), for pictures
            below about 96 pixels.
        width: channels of the first layer; published weights have 64.
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(depth=depth, stem=stem, width=width, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

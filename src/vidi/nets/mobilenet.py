"""MobileNetV2 at any width.

Design: Sandler et al. 2018, *Inverted Residuals and Linear Bottlenecks*, arXiv:1801.04381. Parameter names and order follow torchvision
(BSD-3-Clause), whose and timm's weights load; the code is written anew. MobileNetV3: ``--net timm name=mobilenetv3_large_100``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.pooled import Pooled

# expansion, channels, repeats, stride of the first
GROUPS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TIMM_NAMES = {0.5: "mobilenetv2_050", 1.0: "mobilenetv2_100", 1.4: "mobilenetv2_140"}


def rounded(width: float) -> int:
    """The multiple of 8 nearest to a width, at least 8 and at least 90 % of it."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


def _conv(inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Widen by a 1×1, filter each channel by a 3×3, narrow by a linear 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv(inputs, hidden)]
        layers += [_conv(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(Backbone):
    """Maps at strides 2, 4, 8, 16, 32 (imagenet stem) or 1, 2, 4, 8 (small stem); see `net` for the arguments."""

    def __init__(self, width: float = 1.0, stem: str = "imagenet", in_channels: int = 3):
        super().__init__()
        if not 0.1 <= width <= 4:
            raise RecipeError("between 0.1 and 4", at="width", value=width)
        if stem not in ("imagenet", "small"):
            raise RecipeError("imagenet or small", at="stem", value=stem)
        small = stem == "small"
        inputs, last = rounded(32 * width), rounded(1280 * max(1.0, width))
        stride = 1 if small else 2
        modules: list[nn.Module] = [_conv(in_channels, inputs, 3, stride)]
        strides = [stride]
        for expansion, channels, repeats, step in GROUPS:
            step = 1 if small and channels == 24 else step
            for i in range(repeats):
                outputs = rounded(channels * width)
                modules.append(InvertedResidual(inputs, outputs, step if i == 0 else 1, expansion))
                stride *= step if i == 0 else 1
                strides.append(stride)
                inputs = outputs
        modules.append(_conv(inputs, last))
        strides.append(stride)
        self._group(modules, strides)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        self.timm_name = TIMM_NAMES.get(width, "")

    def _group(self, modules: list[Any], strides: list[int]) -> None:
        """One stage per stride; the last convolution is a stage of its own."""
        names: list[str] = []
        channels: list[int] = []
        for stride in sorted(set(strides)):
            name = f"stage{len(names) + 1}"
            members = [i for i in range(len(modules) - 1) if strides[i] == stride]
            setattr(self, name, nn.Sequential(*(modules[i] for i in members)))
            for j, i in enumerate(members):
                self.aliases[f"features.{i}."] = f"{name}.{j}."
                if isinstance(modules[i], InvertedResidual):
                    self.points[f"{name}.{j}"] = modules[i].conv[-1].num_features
            tail = modules[members[-1]]
            norm: Any = tail.conv[-1] if isinstance(tail, InvertedResidual) else tail[1]
            channels.append(norm.num_features)
            names.append(name)
        self.names, self.last = names, modules[-1]
        self.aliases[f"features.{len(modules) - 1}."] = "last."
        self.channels, self.strides = (*channels[:-1], modules[-1][1].num_features), tuple(sorted(set(strides)))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for name in self.names:
            x = getattr(self, name)(x)
            maps.append(x)
        return [*maps[:-1], self.last(x)]

    def stages(self) -> dict[str, nn.Module]:
        return {name: getattr(self, name) for name in (*self.names, "last")}


def backbone(*, width: float = 1.0, stem: str = "imagenet", in_channels: int = 3) -> MobileNetV2:
    """See `net`."""
    return MobileNetV2(width, stem, in_channels)


def net(
    space: Space,
    head: str,
    *,
    width: float = 1.0,
    stem: str = "imagenet",
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        width: factor on all channels, 0.1 to 4.
        stem: ``imagenet``; ``small`` drops the first two halvings, for pictures below about 96 pixels.
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(width=width, stem=stem, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

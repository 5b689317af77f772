"""The contracting path of the classic U-Net as a backbone: two 3×3 convolutions at every scale, halved by max-pooling."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.pixels import conv_unit


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3×3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(conv_unit(inputs, outputs), conv_unit(outputs, outputs))


class Classic(Backbone):
    """Maps at strides 1, 2, 4, …; channels double with each.

    Args:
        width: channels of the first map; the paper has 64.
        depth: halvings, 1 to 6; the paper has 4.
        in_channels: channels of the pictures.

    Raises:
        RecipeError: a setting out of range.
    """

    def __init__(self, width: int = 32, depth: int = 4, in_channels: int = 3):
        super().__init__()
        if not 1 <= depth <= 6:
            raise RecipeError("1 to 6 halvings", at="depth", value=depth)
        if width < 1:
            raise RecipeError("a width is positive", at="width", value=width)
        self.channels, self.strides = tuple(width * 2**i for i in range(depth + 1)), tuple(2**i for i in range(depth + 1))
        inputs = in_channels
        for i, outputs in enumerate(self.channels):
            self.add_module(f"stage{i + 1}", double_conv(inputs, outputs))
            self.points[f"stage{i + 1}"] = outputs
            inputs = outputs
        self.halve = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for stage in self.stages().values():
            maps.append(stage(self.halve(maps[-1]) if maps else x))
        return maps

    def stages(self) -> dict[str, nn.Module]:
        return {f"stage{i}": getattr(self, f"stage{i}") for i in range(1, len(self.channels) + 1)}

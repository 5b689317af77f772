"""A net of one's own in thirty lines: ``vidi train DATA --net examples/nets/tiny.py width=32``."""

from torch import nn

from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.pooled import Pooled


class Tiny(Backbone):
    """Three strided convolutions."""

    def __init__(self, width: int, in_channels: int):
        super().__init__()
        self.channels, self.strides = (width, 2 * width, 4 * width), (2, 4, 8)
        layers = []
        for inputs, outputs in zip((in_channels, *self.channels), self.channels):
            layers.append(nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()))
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps

    def stages(self):
        return {f"layer{i}": layer for i, layer in enumerate(self.layers, 1)}


def net(space, head, *, width: int = 16, in_channels: int = 3):
    """The net with a head; `width` is the first layer's."""
    return Pooled(Tiny(width, in_channels), space, head, in_channels=in_channels)

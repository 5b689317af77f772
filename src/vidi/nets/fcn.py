"""FCN-32s, -16s and -8s: a classifier's maps scored place by place, the coarse scores added to the fine ones.

Design: Long et al. 2015, *Fully Convolutional Networks for Semantic Segmentation*, arXiv:1411.4038, on any backbone. The two 4096-wide layers
of the paper's VGG give way to one 3×3 convolution of `width`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.one_stage import attended
from vidi.nets.blocks.pixels import LOSS, PixelHead, PixelNeck, PixelNet, check_head, classifier, conv_unit, enlarged, map_at

STRIDES = (32, 16, 8)


class _Neck(PixelNeck):
    """The coarsest map convolved; then the finer ones as they are, fine to coarse."""

    def __init__(self, channels: Sequence[int], chosen: Sequence[int], width: int, dropout: float):
        super().__init__()
        self.chosen = list(chosen)
        self.mix = nn.Sequential(conv_unit(channels[-1], width), nn.Dropout2d(dropout))

    def forward(self, maps: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        return [*(maps[i] for i in self.chosen), self.mix(maps[-1])]


class _Head(PixelHead):
    """Scores of every map; each coarser one is doubled in size and added to the next finer."""

    def __init__(self, channels: Sequence[int], classes: int, upsample: str):
        super().__init__()
        self.scores = nn.ModuleList(classifier(width, classes) for width in channels)
        for score in self.scores[:-1]:
            nn.init.zeros_(score.weight)  # type: ignore[arg-type]
        learned = upsample == "transposed"
        self.doublings = nn.ModuleList(bilinear_doubling(classes) if learned else nn.Identity() for _ in channels[:-1])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        total = self.scores[-1](maps[-1])
        for score, double, level in zip(self.scores[-2::-1], self.doublings, maps[-2::-1]):
            total = enlarged(double(total), level) + score(level)
        return [total]


def bilinear_doubling(channels: int) -> nn.ConvTranspose2d:
    """A learned doubling of a map's sides that starts as bilinear interpolation of each channel."""
    layer = nn.ConvTranspose2d(channels, channels, 4, 2, 1, bias=False)
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(torch.eye(channels)[:, :, None, None] * torch.outer(line, line))
    return layer


def net(
    space: Space,
    head: str = "pixels",
    *,
    backbone: str = "resnet(depth=18)",
    stride: int = 8,
    width: int = 256,
    upsample: str = "transposed",
    dropout: float = 0.1,
    loss: str = LOSS,
    attention: str | None = None,
    in_channels: int = 3,
) -> PixelNet:
    """The net.

    Args:
        head: ``pixels``.
        backbone: a net's name or path with settings; its coarsest stride is 32, or `stride` at least.
        stride: of the finest map that is scored: 32, 16 or 8.
        width: channels between the coarsest map and its scores; the paper has 4096.
        upsample: how coarse scores are doubled: ``transposed``, learned from a bilinear start, or ``bilinear``. The last enlargement is
            always bilinear.
        dropout: share of those channels dropped in training, 0..1.
        loss: a sum of losses of ``nets/losses``.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.
    """
    check_head(head)
    if stride not in STRIDES:
        raise RecipeError(f"one of {', '.join(map(str, STRIDES))}", at="stride", value=stride)
    if upsample not in ("transposed", "bilinear"):
        raise RecipeError("transposed or bilinear", at="upsample", value=upsample)
    body = attended(create_backbone(backbone, in_channels), attention)
    finest = map_at(body.strides, min(stride, body.strides[-1]), "stride")
    chosen = range(finest, len(body.strides) - 1)
    widths = [*(body.channels[i] for i in chosen), width]
    return PixelNet(body, _Neck(body.channels, chosen, width, dropout), _Head(widths, len(space), upsample), space, loss, in_channels=in_channels)

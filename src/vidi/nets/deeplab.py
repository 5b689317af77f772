"""DeepLabv3 and v3+: a dilated backbone, pooling with several reaches, and (v3+) a decoder that looks at stride 4.

Design: Chen et al. 2017, *Rethinking Atrous Convolution*, arXiv:1706.05587 (v3); Chen et al. 2018, arXiv:1802.02611 (v3+). The defaults are
for a CPU: ResNet-18 and half the papers' width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.aspp import ASPP, separable
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.dilate import dilated
from vidi.nets.blocks.one_stage import attended
from vidi.nets.blocks.pixels import LOSS, PixelHead, PixelNeck, PixelNet, check_head, classifier, conv_unit, enlarged, map_at

RATES = (6, 12, 18)
"""Of the 3×3 convolutions at output stride 16; twice as much at 8."""


class _Plain(PixelNeck):
    """The pyramid and one 3×3 convolution: v3."""

    def __init__(self, aspp: ASPP, width: int):
        super().__init__()
        self.aspp, self.mix = aspp, conv_unit(width, width)

    def forward(self, maps: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        return [self.mix(self.aspp(maps[-1]))]


class _Decoder(PixelNeck):
    """The pyramid beside a narrowed fine map, mixed by two 3×3 convolutions: v3+."""

    def __init__(self, aspp: ASPP, width: int, fine: int, inputs: int, low: int, narrow: bool):
        super().__init__()
        self.aspp, self.fine, self.low = aspp, fine, conv_unit(inputs, low, 1)
        unit = separable if narrow else conv_unit
        self.mix = nn.Sequential(unit(width + low, width), unit(width, width))

    def forward(self, maps: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        fine = maps[self.fine]
        return [self.mix(torch.cat([enlarged(self.aspp(maps[-1]), fine), self.low(fine)], 1))]


class _Head(PixelHead):
    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.score = classifier(inputs, classes)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return [self.score(maps[0])]


def net(
    space: Space,
    head: str = "pixels",
    *,
    backbone: str = "resnet(depth=18)",
    decoder: bool = True,
    output_stride: int = 16,
    rates: Sequence[int] | None = None,
    width: int = 128,
    low: int = 48,
    narrow: bool = False,
    dropout: float = 0.1,
    loss: str = LOSS,
    attention: str | None = None,
    in_channels: int = 3,
) -> PixelNet:
    """The net.

    Args:
        head: ``pixels``.
        backbone: a net's name or path with settings, of convolutions that can be dilated.
        decoder: v3+, which adds detail from stride 4; else v3.
        output_stride: of the backbone's last map, 32, 16 or 8; its later stages are dilated for it.
        rates: holes of the pyramid's 3×3 convolutions in cells; None: 6, 12, 18 at output stride 16, scaled to others.
        width: channels of pyramid and decoder; the papers have 256.
        low: channels of the fine map beside them.
        narrow: depthwise separable 3×3 convolutions in pyramid and decoder, as v3+ has them with Xception; else plain ones.
        dropout: share of the pyramid's channels dropped in training, 0..1.
        loss: a sum of losses of ``nets/losses``.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.

    Raises:
        RecipeError: the backbone cannot be dilated, or has no map at stride 4.
    """
    check_head(head)
    if output_stride not in (8, 16, 32):
        raise RecipeError("8, 16 or 32", at="output_stride", value=output_stride)
    body = attended(dilated(create_backbone(backbone, in_channels), output_stride), attention)
    holes = tuple(rates) if rates is not None else tuple(rate * 16 // output_stride for rate in RATES)
    aspp = ASPP(body.channels[-1], width, holes, narrow, dropout)
    neck: PixelNeck = _Plain(aspp, width)
    if decoder:
        fine = map_at(body.strides, 4, "decoder")
        neck = _Decoder(aspp, width, fine, body.channels[fine], low, narrow)
    return PixelNet(body, neck, _Head(width, len(space)), space, loss, in_channels=in_channels)

"""LR-ASPP, a light net for small machines: one map gated by its picture-wide mean, scores of two strides added.

Design: Howard et al. 2019, *Searching for MobileNetV3*, arXiv:1905.02244, section 6.4; the gate looks at the whole picture, as in
torchvision (BSD-3-Clause).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vidi.core.space import Space
from vidi.nets.blocks.assemble import create_backbone
from vidi.nets.blocks.dilate import dilated
from vidi.nets.blocks.one_stage import attended
from vidi.nets.blocks.pixels import LOSS, PixelHead, PixelNeck, PixelNet, check_head, classifier, conv_unit, enlarged, map_at


class _Neck(PixelNeck):
    """The map at stride 8, and the last map narrowed, gated and brought to its size."""

    def __init__(self, inputs: int, width: int, fine: int):
        super().__init__()
        self.fine = fine
        self.narrow = conv_unit(inputs, width, 1)
        self.gate = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.Sigmoid())

    def forward(self, maps: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        last = maps[-1]
        gated = self.narrow(last) * self.gate(last.mean((2, 3), keepdim=True))
        return [maps[self.fine], enlarged(gated, maps[self.fine])]


class _Head(PixelHead):
    def __init__(self, fine: int, coarse: int, classes: int):
        super().__init__()
        self.fine, self.coarse = classifier(fine, classes), classifier(coarse, classes)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return [self.fine(maps[0]) + self.coarse(maps[1])]


def net(
    space: Space,
    head: str = "pixels",
    *,
    backbone: str = "mobilenet",
    output_stride: int = 16,
    width: int = 128,
    loss: str = LOSS,
    attention: str | None = None,
    in_channels: int = 3,
) -> PixelNet:
    """The net.

    Args:
        head: ``pixels``.
        backbone: a net's name or path with settings; MobileNetV3 is ``timm(name=mobilenetv3_large_100)``.
        output_stride: of the backbone's last map, 32, 16 or 8; its later stages are dilated for it.
        width: channels of the gated map.
        loss: a sum of losses of ``nets/losses``.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.

    Raises:
        RecipeError: the backbone cannot be dilated, or has no map at stride 8.
    """
    check_head(head)
    body = attended(dilated(create_backbone(backbone, in_channels), output_stride), attention)
    fine = map_at(body.strides, 8, "backbone")
    neck, last = _Neck(body.channels[-1], width, fine), _Head(body.channels[fine], width, len(space))
    return PixelNet(body, neck, last, space, loss, in_channels=in_channels)

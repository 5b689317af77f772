"""SSD: default boxes on a backbone's maps and on coarser ones made from them.

Design: Liu et al. 2016, *SSD: Single Shot MultiBox Detector*, arXiv:1512.02325. ``backbone=vgg(depth=16)`` is the paper's net: the maps at
stride 8 and 16, the latter behind a convolution with holes, and coarser ones. ``lite=true`` is SSDLite (Sandler et al. 2018,
arXiv:1801.04381). Batch norm in all added layers and a loss per positive keep training from random weights stable: AdamW at 1e-3,
SGD at 1e-2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidi.core.calls import parse_call
from vidi.core.space import Space
from vidi.nets.blocks.assemble import create_backbone, create_dense, create_neck
from vidi.nets.blocks.one_stage import OneStage, attended

VGG_LEVELS, VGG_ATROUS, VGG_EXTRA = (8, 16), 1024, 3


def net(
    space: Space,
    head: str,
    *,
    backbone: str = "efficientnet(variant=lite0)",
    neck: str = "ssd",
    width: int | None = None,
    extra: int | None = None,
    lite: bool = False,
    anchors: Any = None,
    attention: str | None = None,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> OneStage:
    """The net.

    Args:
        head: ``boxes`` (`vidi.nets.dense.ssd`), or the name or path of another dense head.
        backbone: a net's name or path with settings.
        neck: ``ssd`` (`vidi.nets.necks.ssd`), or another neck's name or path with settings: ``fpn`` lets coarse maps help fine ones.
        width: channels of the levels that the neck makes; None: 256, or 128 for other necks.
        extra: levels added above the backbone's; None: 2, or 3 on VGG.
        lite: depthwise convolutions in the neck's own levels and in the head.
        anchors: widths and heights in pixels, see `vidi anchors`; None: by size and ratio.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.
        head_options: settings of the head, such as ``{"size": 2.0}``.
    """
    body = attended(create_backbone(backbone, in_channels), attention)
    settings: dict[str, Any] = {"width": width or 256, "extra": 2 if extra is None else extra, "light": lite}
    kind = parse_call(neck, "neck")[0]
    if kind != "ssd":
        settings["width"] = width or 128
    elif parse_call(backbone, "backbone")[0] == "vgg":
        settings |= {"levels": VGG_LEVELS, "atrous": VGG_ATROUS, "extra": VGG_EXTRA if extra is None else extra}
    middle = create_neck(neck, body.channels, body.strides, **settings)
    last = create_dense(head, "ssd", middle.channels, middle.strides, space, head_options, anchors=anchors, light=lite)
    return OneStage(body, middle, last, space, in_channels=in_channels)

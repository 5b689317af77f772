"""RetinaNet: a feature pyramid, anchors on every level, focal loss.

Design: Lin et al. 2017, *Focal Loss for Dense Object Detection*, arXiv:1708.02002. The defaults are for pictures of about 320 pixels and
a CPU: half the paper's width and depth, anchors half as large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidi.core.space import Space
from vidi.nets.blocks.assemble import create_backbone, create_dense, create_neck
from vidi.nets.blocks.one_stage import OneStage, attended


def net(
    space: Space,
    head: str,
    *,
    backbone: str = "efficientnet(variant=lite0)",
    neck: str = "fpn",
    width: int = 128,
    extra: int = 2,
    anchors: Any = None,
    attention: str | None = None,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> OneStage:
    """The net.

    Args:
        head: ``boxes`` (`vidi.nets.dense.retina`), or the name or path of another dense head.
        backbone: a net's name or path with settings.
        neck: a neck's name or path with settings.
        width: channels of the neck; the paper has 256.
        extra: levels added above stride 32: 2 gives P3 to P7.
        anchors: widths and heights in pixels, see `vidi anchors`; None: by size and ratio.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.
        head_options: settings of the head, such as ``{"box_loss": "giou"}``.
    """
    body = attended(create_backbone(backbone, in_channels), attention)
    middle = create_neck(neck, body.channels, body.strides, width=width, extra=extra)
    last = create_dense(head, "retina", middle.channels, middle.strides, space, head_options, anchors=anchors)
    return OneStage(body, middle, last, space, in_channels=in_channels)

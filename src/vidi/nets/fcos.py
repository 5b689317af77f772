"""FCOS: every cell of a feature pyramid that lies in a box predicts it.

Design: Tian et al. 2019, *FCOS: Fully Convolutional One-Stage Object Detection*, arXiv:1904.01355; the head is `vidi.nets.dense.fcos`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidi.core.space import Space
from vidi.nets.blocks.assemble import create_backbone, create_dense, create_neck
from vidi.nets.blocks.one_stage import OneStage, attended


def net(
    space: Space,
    head: str = "boxes",
    *,
    backbone: str = "resnet",
    neck: str = "fpn",
    width: int = 128,
    attention: str | None = None,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> OneStage:
    """The detector.

    Args:
        head: ``boxes``: this net's own; or another dense head by name or path.
        backbone: ``name(key=value, …)`` of any net, or a path.
        neck: ``name(key=value, …)`` of ``nets/necks``, or a path; two coarser levels than the backbone's are added.
        width: channels of the neck and the head; 256 in the paper.
        attention: see `insert_attention`.
        in_channels: channels of the pictures.
        head_options: settings of the head, such as ``{"depth": 4}``.
    """
    body = create_backbone(backbone, in_channels)
    mixer = create_neck(neck, body.channels, body.strides, width=width, extra=2)
    dense = create_dense(head, "fcos", mixer.channels, mixer.strides, space, head_options)
    return OneStage(attended(body, attention), mixer, dense, space, in_channels=in_channels)

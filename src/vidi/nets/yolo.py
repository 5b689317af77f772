"""One-stage detector in the manner of YOLO, in sizes n to x, on any backbone.

Design: CSP backbone (`vidi.nets.csp`), path-aggregating neck, decoupled anchor-free head with task-aligned assignment
(`vidi.nets.dense.tal`, where the papers are), for the head word ``masks`` with prototypes (`vidi.nets.dense.tal_masks`); with `anchors` the
anchor-based head (`vidi.nets.dense.anchored`), with `end2end` one that needs no NMS. The line begins with Redmon et al. 2016, *You Only
Look Once*, arXiv:1506.02640. Written anew from the papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vidi.core.calls import parse_call
from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.assemble import OWN, create_backbone, create_dense, create_neck
from vidi.nets.blocks.one_stage import OneStage, attended
from vidi.nets.csp import depth_of, widths_of

CSP, MASKS = "csp", "masks"


def net(
    space: Space,
    head: str = "boxes",
    *,
    size: str = "n",
    backbone: str = CSP,
    neck: str = "pan",
    width: int | None = None,
    depth: float | None = None,
    attention: str | None = None,
    end2end: bool = False,
    anchors: Sequence[Any] | None = None,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> OneStage:
    """The detector.

    Args:
        head: ``boxes``: this net's own; ``masks``: the same that also gives masks; or another dense head by name or path.
        size: n, s, m, l or x: widths and depths of the neck and of the backbone ``csp``.
        backbone: ``name(key=value, …)`` of any net, or a path.
        neck: ``name(key=value, …)`` of ``nets/necks``, or a path.
        width: channels of the neck's finest level; None: the size's (64 for n). The backbone ``csp`` scales along.
        depth: factor on the blocks in a row; None: the size's.
        attention: see `insert_attention`.
        end2end: one place per box and no NMS (`vidi.nets.dense.tal`).
        anchors: w, h, w, h, … in input pixels: the anchor-based head (`vidi.nets.dense.anchored`), as many for each level.
        in_channels: channels of the pictures.
        head_options: settings of the head, such as ``{"topk": 13}``.
    """
    widths = widths_of(size, None if width is None else width / 256)
    settings = {"size": size, "width": None if width is None else width / 256, "depth": depth}
    own_backbone = parse_call(backbone, "backbone")[0] == CSP
    body = create_backbone(backbone, in_channels, **(settings if own_backbone else {}))
    mixer = create_neck(neck, body.channels, body.strides, width=widths[2], widest=widths[4], depth=depth_of(size, 3, depth))
    if anchors is not None and end2end:
        raise RecipeError("the anchor-based head needs NMS", at="end2end", value=end2end, fix="end2end=false, or anchors=None")
    if anchors is not None and head == MASKS:
        raise RecipeError("the anchor-based head gives no masks", at="anchors", value=list(anchors), fix="anchors=None")
    own, options = ("tal", {"end2end": end2end}) if anchors is None else ("anchored", {"anchors": anchors})
    if head == MASKS:
        head, own = OWN, "tal_masks"
    dense = create_dense(head, own, mixer.channels, mixer.strides, space, head_options, **options)
    return OneStage(attended(body, attention), mixer, dense, space, in_channels=in_channels)

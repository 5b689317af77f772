"""Faster R-CNN with a feature pyramid, and Cascade R-CNN.

Designs: Ren et al. 2015, *Faster R-CNN*, arXiv:1506.01497; Lin et al. 2017, *Feature Pyramid Networks*, arXiv:1612.03144; Cai and
Vasconcelos 2018, *Cascade R-CNN*, arXiv:1712.00726. The defaults are for pictures of about 320 pixels and a CPU: narrow heads, small
anchors, 100 proposals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.anchors import shapes_by_scale, shapes_given
from vidi.nets.blocks.assemble import check_own, create_backbone, create_neck
from vidi.nets.blocks.one_stage import attended
from vidi.nets.blocks.roi import BoxStage, BoxStages, RoIPooler
from vidi.nets.blocks.rpn import RPN
from vidi.nets.blocks.two_stage import TwoStage

FINEST, COARSEST, SMALLEST = 4, 32, 16.0
# IoU and weights of the offsets, by stage
ONE = ((0.5, (10.0, 10.0, 5.0, 5.0)),)
CASCADE = (*ONE, (0.6, (20.0, 20.0, 10.0, 10.0)), (0.7, (30.0, 30.0, 15.0, 15.0)))


def net(
    space: Space,
    head: str,
    *,
    backbone: str = "efficientnet(variant=lite0)",
    neck: str = "fpn",
    width: int = 128,
    finest: int = 4,
    extra: int | None = None,
    anchors: Any = None,
    size: float | None = None,
    scales: Sequence[float] = (1.0,),
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    light: bool = True,
    candidates: int = 128,
    proposals: int = 100,
    trunk: str = "fc",
    hidden: int = 256,
    agnostic: bool = True,
    cascade: bool = False,
    attention: str | None = None,
    in_channels: int = 3,
) -> TwoStage:
    """The net.

    Args:
        head: ``boxes``, the net's own.
        backbone: a net's name or path with settings.
        neck: a neck's name or path with settings; all of its levels must be equally wide.
        width: channels of the neck; the paper has 256.
        finest: stride of the finest level, if the backbone has it: 4 as in the paper (P2), or 8 for little more than half the time.
        extra: levels added above stride 32 for the proposals; None: 1 (P6), or 2 if `finest` is above 4.
        anchors: widths and heights in pixels, see `vidi anchors`; None: by `size`, `scales` and `ratios`.
        size: side of the smallest square anchor in cells; None: 16 pixels on the finest level, twice as much on each coarser one. The
            paper's 8 cells are for pictures of 800 pixels.
        scales: factors on the side.
        ratios: height over width.
        light: depthwise convolutions in the proposal network; else a full 3×3 as in the paper.
        candidates: boxes per level that compete for the proposals.
        proposals: boxes per picture that the heads look at, in training as in prediction.
        trunk: of the box heads: ``fc`` (two fully connected layers) or ``conv`` (four convolutions and one).
        hidden: channels of the trunk; the paper has 1024.
        agnostic: one refined box for all classes, which few boxes suffice to learn; else one per class, as in the paper.
        cascade: three stages for IoU 0.5, 0.6 and 0.7 instead of one.
        attention: blocks inserted in the backbone, see `insert_attention`.
        in_channels: channels of the pictures.

    Raises:
        RecipeError: another head, levels of unequal width, a cascade with boxes per class, or a number out of range.
    """
    check_own(head, "finds boxes in two looks")
    if cascade and not agnostic:
        raise RecipeError("a cascade refines one box for all classes", at="agnostic", value=agnostic, fix="agnostic=true")
    for name, value in (("candidates", candidates), ("proposals", proposals), ("hidden", hidden)):
        if value < 1:
            raise RecipeError("at least 1", at=name, value=value)
    body = attended(create_backbone(backbone, in_channels), attention)
    levels = _levels(body.strides, finest)
    extra = (2 if finest > FINEST else 1) if extra is None else extra
    middle = create_neck(neck, body.channels, body.strides, width=width, levels=levels, extra=extra)
    if len(set(middle.channels)) != 1:
        raise RecipeError("levels of equal width", at="neck", value=list(middle.channels), fix="neck=fpn")
    if anchors is None:
        size = SMALLEST / middle.strides[0] if size is None else size
        shapes = shapes_by_scale(middle.strides, size=size, scales=scales, ratios=ratios)
    else:
        shapes = shapes_given(anchors, len(middle.strides))
    rpn = RPN(middle.channels[0], middle.strides, shapes, candidates=candidates, proposals=proposals, light=light)
    pooler = RoIPooler([stride for stride in middle.strides if stride <= max(COARSEST, middle.strides[0])])
    stages = [
        BoxStage(trunk, middle.channels[0], pooler.size, hidden, len(space), agnostic=agnostic, overlap=overlap, weights=weights)
        for overlap, weights in (CASCADE if cascade else ONE)
    ]
    return TwoStage(body, middle, rpn, BoxStages(pooler, stages), space, in_channels=in_channels)


def _levels(strides: Sequence[int], finest: int) -> list[int] | None:
    """The backbone's strides from `finest` to 32; None, the neck's own choice, if there are none."""
    return [stride for stride in strides if finest <= stride <= COARSEST] or None

"""Mask R-CNN: Faster R-CNN that also draws a mask in each of its boxes.

Design: He et al. 2017, *Mask R-CNN*, arXiv:1703.06870, on `vidi.nets.faster_rcnn`; with `cascade` the masks follow its last stage. The
defaults are for pictures of about 320 pixels and a CPU; the paper's mask head is ``mask_channels=256 mask_depth=4 mask_agnostic=false
mask_proposals=100``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets import faster_rcnn
from vidi.nets.blocks.assemble import OWN
from vidi.nets.blocks.mask_head import MaskHead, MaskStages
from vidi.nets.blocks.two_stage_masks import TwoStageMasks

HEAD = "masks"


def net(
    space: Space,
    head: str = HEAD,
    *,
    mask_channels: int = 64,
    mask_depth: int = 2,
    mask_light: bool = False,
    mask_agnostic: bool = True,
    mask_proposals: int = 50,
    mask_learned: int = 32,
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
) -> TwoStageMasks:
    """The net.

    Args:
        head: ``masks``, the net's own.
        mask_channels: channels of the mask head.
        mask_depth: its 3×3 convolutions.
        mask_light: they are depthwise and 1×1 ones.
        mask_agnostic: one mask for all classes, which few things suffice to learn; else one per class, as in the paper.
        mask_proposals: candidates per picture that get a mask, the best ones, and so the most things that can be found.
        mask_learned: most boxes per picture whose masks are learned in a step.
        backbone, neck, width, finest, extra, anchors, size, scales, ratios, light, candidates, proposals, trunk, hidden, agnostic, cascade,
            attention, in_channels: see `vidi.nets.faster_rcnn.net`.

    Raises:
        RecipeError: another head, a number out of range, or what `vidi.nets.faster_rcnn.net` refuses.
    """
    if head != HEAD:
        raise RecipeError(
            "this net finds masks, with a head of its own",
            at="head",
            value=head,
            fix=f"{HEAD}; for boxes alone, the net faster_rcnn",
        )
    numbers = {"mask_channels": mask_channels, "mask_proposals": mask_proposals, "mask_learned": mask_learned}
    for name, value in numbers.items():
        if value < 1:
            raise RecipeError("at least 1", at=name, value=value)
    if mask_depth < 0:
        raise RecipeError("not negative", at="mask_depth", value=mask_depth)
    boxes = faster_rcnn.net(
        space, OWN, backbone=backbone, neck=neck, width=width, finest=finest, extra=extra, anchors=anchors, size=size, scales=scales,
        ratios=ratios, light=light, candidates=candidates, proposals=proposals, trunk=trunk, hidden=hidden, agnostic=agnostic,
        cascade=cascade, attention=attention, in_channels=in_channels,
    )  # fmt: skip
    neck_width: Any = boxes.neck.channels
    masks = MaskHead(neck_width[0], mask_channels, mask_depth, 1 if mask_agnostic else len(space), light=mask_light)
    stages = MaskStages(boxes.head.pooler, list(boxes.head.stages), masks, looked=mask_proposals, learned=mask_learned)
    return TwoStageMasks(boxes.backbone, boxes.neck, boxes.rpn, stages, space, in_channels=in_channels)

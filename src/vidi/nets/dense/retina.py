"""Anchor-based head with focal loss: the head of `retinanet`.

Design: Lin et al. 2017, *Focal Loss for Dense Object Detection*, arXiv:1708.02002: two branches that all levels share, nine anchors per
cell (three sizes, three ratios), independent classes, a first score of 0.01. The paper
lacks the batch norms, with which fewer steps suffice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Detections
from vidi.nets.blocks.anchors import Anchors, Shape, check_even, matched, rows_of, shapes_by_scale, shapes_given
from vidi.nets.dense._base import DenseHead, pad_truth, prior_bias, started
from vidi.ops.anchor_match import IGNORED
from vidi.ops.box_code import decode_boxes, encode_boxes
from vidi.ops.box_loss import BOX_LOSSES, focal_loss, smooth_l1_loss

PRIOR, BETA = 0.01, 1 / 9
RATIOS, SCALES = (0.5, 1.0, 2.0), (1.0, 2 ** (1 / 3), 2 ** (2 / 3))


class Branch(nn.Module):
    """Convolutions that all levels share, behind which each level has batch norms of its own (as in EfficientDet, Tan, Pang and Le
    2020, arXiv:1911.09070), then one that predicts.

    Args:
        width: channels of the maps.
        levels: how many maps.
        outputs: channels predicted.
        depth: convolutions before the last.
        light: they are depthwise ones with a 1×1 behind.
        bias: first value of every output.
    """

    def __init__(self, width: int, levels: int, outputs: int, depth: int, light: bool, bias: float = 0.0):
        super().__init__()
        self.trunk = nn.ModuleList(_convolution(width, light) for _ in range(depth))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(width) for _ in range(depth)) for _ in range(levels))
        self.last = started(nn.Conv2d(width, outputs, 3, padding=1), bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        out = []
        for x, norms in zip(maps, self.norms):
            for convolve, norm in zip(self.trunk, norms.children()):
                x = F.relu(norm(convolve(x)))
            out.append(self.last(x))
        return out


def _convolution(width: int, light: bool) -> nn.Module:
    layers = [nn.Conv2d(width, width, 3, padding=1, groups=width if light else 1, bias=False)]
    layers += [nn.Conv2d(width, width, 1, bias=False)] if light else []
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(*layers)


class Retina(DenseHead):
    """Raw: ``logits`` (B, A, C), ``offsets`` (B, A, 4) from ``anchors`` (B, A, 4). See `head` for the arguments."""

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], classes: int, shapes: Sequence[Sequence[Shape]], *, depth: int = 2,
        light: bool = False, alpha: float = 0.25, gamma: float = 2.0, high: float = 0.5, low: float = 0.4, box_loss: str = "smooth_l1",
        box: float = 1.0,
    ):  # fmt: skip
        super().__init__()
        _check(channels, depth, high, low, box_loss)
        count = check_even(shapes)
        self.anchors, self.classes = Anchors(strides, shapes), classes
        self.scores = Branch(channels[0], len(strides), count * classes, depth, light, prior_bias(PRIOR))
        self.offsets = Branch(channels[0], len(strides), count * 4, depth, light)
        self.alpha, self.gamma, self.high, self.low, self.box_loss, self.gain = alpha, gamma, high, low, box_loss, box
        self.kinds = {"logits": "bernoulli", "offsets": "euclidean", "anchors": "aux"}

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        logits = torch.cat([rows_of(level, self.classes) for level in self.scores(maps)], 1)
        offsets = torch.cat([rows_of(level, 4) for level in self.offsets(maps)], 1)
        anchors = torch.cat(self.anchors(maps)).expand(len(logits), -1, 4)
        return {"logits": logits, "offsets": offsets, "anchors": anchors}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> dict[str, Tensor]:
        """``focal`` and ``box``, over the number of anchors that answer for a box, `typical` at least."""
        logits, anchors = raw["logits"].float(), raw["anchors"][0]
        truth = pad_truth(labels, logits.device)
        taken = matched(anchors, truth, high=self.high, low=self.low, rescue="tied")
        b, a = (taken >= 0).nonzero(as_tuple=True)
        m = taken[b, a]
        target = torch.zeros_like(logits)
        target[b, a, truth.classes[b, m]] = 1.0
        counts = torch.maximum((taken >= 0).sum(1).float(), self.typical)
        focal = focal_loss(logits, target, self.alpha, self.gamma).sum(2) * (taken != IGNORED)
        box = self._box_loss(raw["offsets"][b, a].float(), anchors[a], truth.boxes[b, m])
        return {"focal": focal.sum(1) / counts, "box": self.gain * logits.new_zeros(len(logits)).index_add(0, b, box) / counts}

    def _box_loss(self, offsets: Tensor, anchors: Tensor, boxes: Tensor) -> Tensor:
        """(P,) for P anchors with their boxes."""
        if self.box_loss == "smooth_l1":
            return smooth_l1_loss(offsets, encode_boxes(boxes, anchors), BETA).sum(1)
        return BOX_LOSSES[self.box_loss](decode_boxes(offsets, anchors), boxes)

    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        return decode_boxes(raw["offsets"].float(), raw["anchors"]), raw["logits"].float().sigmoid()


def _check(channels: Sequence[int], depth: int, high: float, low: float, box_loss: str) -> None:
    if len(set(channels)) != 1:
        raise RecipeError("this head is shared by all levels, which must be equally wide", at="neck", value=list(channels), fix="neck=fpn")
    if depth < 0:
        raise RecipeError("at least 0", at="depth", value=depth)
    if not 0 < low <= high <= 1:
        raise RecipeError("0 < low ≤ high ≤ 1", at="high, low", value=(high, low))
    if box_loss != "smooth_l1" and box_loss not in BOX_LOSSES:
        raise RecipeError(f"one of smooth_l1, {', '.join(BOX_LOSSES)}", at="box_loss", value=box_loss)


def head(
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    *,
    anchors: Any = None,
    size: float = 2.0,
    scales: Sequence[float] = SCALES,
    ratios: Sequence[float] = RATIOS,
    depth: int = 2,
    light: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    high: float = 0.5,
    low: float = 0.4,
    box_loss: str = "smooth_l1",
    box: float = 1.0,
) -> Retina:
    """The head on a neck's maps.

    Args:
        channels, strides: the neck's; all levels equally wide.
        space: what the labels mean.
        anchors: widths and heights, see `shapes_given`; None: by `size`, `scales` and `ratios`.
        size: side of the smallest square anchor in cells: 2, which reaches from 16 pixels (at stride 8) to 400. The paper's 4 is for
            pictures of 800 pixels.
        scales: factors on the side.
        ratios: height over width.
        depth: convolutions per branch before the last one; the paper has 4.
        light: depthwise convolutions.
        alpha, gamma: see `focal_loss`.
        high, low: an anchor answers for a box from IoU `high` on, is background below `low`, and counts for nothing between.
        box_loss: ``smooth_l1`` on offsets, or ``giou``, ``diou``, ``ciou``, ``iou`` on boxes.
        box: weight of the box loss.
    """
    if anchors is None:
        shapes = shapes_by_scale(strides, size=size, scales=scales, ratios=ratios)
    else:
        shapes = shapes_given(anchors, len(strides))
    return Retina(
        channels, strides, len(space), shapes, depth=depth, light=light, alpha=alpha, gamma=gamma, high=high, low=low, box_loss=box_loss,
        box=box,
    )  # fmt: skip

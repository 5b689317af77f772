"""Default boxes with softmax classes and hard-negative mining: the head of `ssd`.

Design: Liu et al. 2016, *SSD: Single Shot MultiBox Detector*, arXiv:1512.02325: every level has a 3×3 convolution of its own; of the
background boxes, the three hardest per positive count. `light` as in SSDLite (Sandler et al. 2018, arXiv:1801.04381).
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
from vidi.nets.blocks.anchors import Anchors, Shape, matched, rows_of, shapes_by_ladder, shapes_given
from vidi.nets.blocks.csp import ConvUnit
from vidi.nets.dense._base import DenseHead, pad_truth, started
from vidi.ops.anchor_match import NEGATIVE
from vidi.ops.box_code import decode_boxes, encode_boxes
from vidi.ops.box_loss import smooth_l1_loss

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""One over the paper's variances 0.1 and 0.2."""
RATIOS = (2.0, 3.0)
BACKGROUND = 3.0
"""First logit of background: a fresh net calls most boxes empty."""


class DefaultBoxes(DenseHead):
    """Raw: ``logits`` (B, C + 1, A), background last, ``offsets`` (B, A, 4) from ``anchors`` (B, A, 4). See `head` for the arguments."""

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], classes: int, shapes: Sequence[Sequence[Shape]], *, light: bool = False,
        overlap: float = 0.5, negatives: float = 3.0, box: float = 1.0,
    ):  # fmt: skip
        super().__init__()
        if not 0 < overlap <= 1:
            raise RecipeError("above 0 and up to 1", at="overlap", value=overlap)
        if negatives <= 0:
            raise RecipeError("above 0", at="negatives", value=negatives)
        self.anchors, self.classes = Anchors(strides, shapes), classes
        self.overlap, self.negatives, self.gain = overlap, negatives, box
        counts = self.anchors.counts
        scores = [_predictor(width, count * (classes + 1), light) for width, count in zip(channels, counts)]
        self.scores = nn.ModuleList(scores)
        self.offsets = nn.ModuleList(_predictor(width, count * 4, light) for width, count in zip(channels, counts))
        for predictor, count in zip(scores, counts):
            last: Any = predictor[-1]
            with torch.no_grad():
                last.bias.view(count, classes + 1)[:, -1] = BACKGROUND
        self.kinds = {"logits": "categorical", "offsets": "euclidean", "anchors": "aux"}

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        logits = torch.cat([rows_of(predict(level), self.classes + 1) for predict, level in zip(self.scores, maps)], 1)
        offsets = torch.cat([rows_of(predict(level), 4) for predict, level in zip(self.offsets, maps)], 1)
        anchors = torch.cat(self.anchors(maps)).expand(len(logits), -1, 4)
        return {"logits": logits.transpose(1, 2), "offsets": offsets, "anchors": anchors}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> dict[str, Tensor]:
        """``cross_entropy`` of the positives and of the hardest negatives, and ``box``, over the number of positives, `typical` at
        least. A picture without a box learns from `negatives` times `typical` of its background boxes."""
        logits, anchors = raw["logits"].float(), raw["anchors"][0]
        truth = pad_truth(labels, logits.device)
        taken = matched(anchors, truth, high=self.overlap, rescue="own")
        b, a = (taken >= 0).nonzero(as_tuple=True)
        m = taken[b, a]
        target = torch.full_like(taken, self.classes)
        target[b, a] = truth.classes[b, m]
        entropy = F.cross_entropy(logits, target, reduction="none")  # (B, A)
        counts = torch.maximum((taken >= 0).sum(1).float(), self.typical)
        kept = (taken >= 0) | _hardest(entropy.detach(), taken == NEGATIVE, self.negatives * counts)
        distance = smooth_l1_loss(raw["offsets"][b, a], encode_boxes(truth.boxes[b, m], anchors[a], WEIGHTS)).sum(1)
        box = logits.new_zeros(len(logits)).index_add(0, b, distance)
        return {"cross_entropy": (entropy * kept).sum(1) / counts, "box": self.gain * box / counts}

    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        scores = raw["logits"].float().softmax(1)[:, : self.classes].transpose(1, 2)
        return decode_boxes(raw["offsets"].float(), raw["anchors"], WEIGHTS), scores


def _hardest(losses: Tensor, candidates: Tensor, counts: Tensor) -> Tensor:
    """Which of (B, A) candidates are among the row's `counts` (B,) highest losses; the first ones in ties."""
    order = losses.masked_fill(~candidates, -1.0).sort(dim=1, descending=True, stable=True).indices
    ranks = torch.arange(losses.shape[1], device=losses.device).expand_as(order)
    chosen = torch.zeros_like(candidates).scatter_(1, order, ranks < counts[:, None])
    return chosen & candidates


def _predictor(inputs: int, outputs: int, light: bool) -> nn.Sequential:
    last = started(nn.Conv2d(inputs, outputs, 1 if light else 3, padding=0 if light else 1), 0.0)
    return nn.Sequential(ConvUnit(inputs, inputs, 3, groups=inputs, activation="relu"), last) if light else nn.Sequential(last)


def head(
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    *,
    anchors: Any = None,
    size: float = 2.5,
    ratios: Sequence[float] = RATIOS,
    light: bool = False,
    overlap: float = 0.5,
    negatives: float = 3.0,
    box: float = 1.0,
) -> DefaultBoxes:
    """The head on a neck's maps.

    Args:
        channels, strides: the neck's.
        space: what the labels mean.
        anchors: widths and heights, see `shapes_given`; None: by `size` and `ratios`, see `shapes_by_ladder`.
        size: side of a level's square default box in cells: 2.5 reaches from 20 pixels (at stride 8) up.
        ratios: of the long to the short side.
        light: depthwise convolutions.
        overlap: IoU from which on a default box answers for a truth.
        negatives: background boxes per positive.
        box: weight of the box loss.
    """
    shapes = shapes_by_ladder(strides, size=size, ratios=ratios) if anchors is None else shapes_given(anchors, len(strides))
    return DefaultBoxes(channels, strides, len(space), shapes, light=light, overlap=overlap, negatives=negatives, box=box)

"""Anchor-based head: each cell of a level predicts an offset from each of a few boxes, whether a thing is there, and its class.

Design: Redmon and Farhadi 2017, *YOLO9000*, arXiv:1612.08242, and 2018, *YOLOv3*, arXiv:1804.02767; boxes are bounded powers of the
anchor, and a true box is learned by its cell and the nearest neighbor cell on each axis, by every anchor whose sides are within a
ratio of its own (Bochkovskiy et al. 2020, *YOLOv4*, arXiv:2004.10934, and its successors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Detections
from vidi.nets.dense._base import DenseHead, Truth, centers, flattened, ignored, pad_truth, prior_bias, started
from vidi.ops.box_loss import BOX_LOSSES, box_iou

DEFAULT = ((2.0, 2.0), (2.0, 4.0), (4.0, 2.0))
"""Width and height of the usual anchors in strides."""
PRIOR = 0.01


class Anchored(DenseHead):
    """Raw: ``logits`` (B, A, C), ``objectness`` (B, A) logits, ``deltas`` (B, A, 4), ``anchors`` (B, A, 5): x and y of the cell's
    center, stride, width and height. Anchors of one cell follow each other. See `head` for the arguments."""

    sizes: Tensor

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], classes: int, *, anchors: Sequence[Any] | None = None,
        ratio: float = 4.0, box_loss: str = "ciou", box: float = 2.5, obj: float = 1.0, cls: float = 1.0,
    ):  # fmt: skip
        super().__init__()
        if ratio <= 1:
            raise RecipeError("greater than 1", at="ratio", value=ratio)
        if box_loss not in BOX_LOSSES:
            raise RecipeError(f"one of {', '.join(BOX_LOSSES)}", at="box_loss", value=box_loss)
        self.strides, self.ratio, self.box_loss, self.gains = tuple(strides), ratio, BOX_LOSSES[box_loss], (box, obj, cls)
        sizes = parse_anchors(anchors, strides)
        self.register_buffer("sizes", torch.tensor(sizes, dtype=torch.float32), persistent=False)  # (levels, K, 2)
        self.count, self.outputs = len(sizes[0]), 5 + classes
        bias = torch.zeros(self.count, self.outputs)
        bias[:, 4], bias[:, 5:] = prior_bias(PRIOR), prior_bias(0.6 / (classes + 0.6))
        outputs = self.count * self.outputs
        self.layers = nn.ModuleList(started(nn.Conv2d(width, outputs, 1), bias.flatten()) for width in channels)
        self.kinds = {"logits": "bernoulli", "objectness": "bernoulli", "deltas": "euclidean", "anchors": "aux"}

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        values = flattened([layer(x) for layer, x in zip(self.layers, maps)])
        values = values.reshape(len(values), -1, self.outputs)
        places = []
        for level, stride, sizes in zip(maps, self.strides, self.sizes):
            cells = centers([level], [stride])
            pairs = cells[:, None].expand(-1, self.count, 3), sizes.expand(len(cells), -1, 2)
            places.append(torch.cat(pairs, 2).flatten(0, 1))
        anchors = torch.cat(places).expand(len(values), -1, 5)
        return {"logits": values[..., 5:], "objectness": values[..., 4], "deltas": values[..., :4], "anchors": anchors}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> dict[str, Tensor]:
        """``box``, ``obj`` (to the overlap of what is predicted) and ``cls``."""
        logits, objectness, anchors = raw["logits"].float(), raw["objectness"].float(), raw["anchors"]
        truth = pad_truth(labels, logits.device)
        free = ~ignored(_anchor_boxes(anchors[0]), truth.crowd)
        b, m, a = self._match(anchors[0], truth, free)
        wanted = truth.boxes[b, m]
        found = self.boxes(raw["deltas"][b, a], anchors[b, a])
        goal = torch.zeros_like(objectness).flatten()
        overlap = box_iou(found.detach(), wanted)
        goal = goal.scatter_reduce(0, b * objectness.shape[1] + a, overlap, "amax").view_as(objectness)
        kinds = F.one_hot(truth.classes[b, m], logits.shape[2]).float()
        zero = logits.new_zeros(len(logits))
        scale = 1 / torch.maximum(zero.index_add(0, b, torch.ones_like(b, dtype=zero.dtype)), self.typical)
        obj = F.binary_cross_entropy_with_logits(objectness, goal, reduction="none") * free
        cls = F.binary_cross_entropy_with_logits(logits[b, a], kinds, reduction="none").sum(1)
        return {
            "box": self.gains[0] * scale * zero.index_add(0, b, self.box_loss(found, wanted)),
            "obj": self.gains[1] * scale * obj.sum(1),
            "cls": self.gains[2] * scale * zero.index_add(0, b, cls),
        }

    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        scores = raw["logits"].float().sigmoid() * raw["objectness"].float().sigmoid()[..., None]
        return self.boxes(raw["deltas"], raw["anchors"]), scores

    def boxes(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        """(…, 4) float32 boxes in pixels: centers up to 1.5 strides from the cell's, sides up to four times the anchor's."""
        share = 2 * deltas.float().sigmoid()
        middle = anchors[..., :2] + (share[..., :2] - 1) * 1.5 * anchors[..., 2:3]
        half = share[..., 2:].square() * anchors[..., 3:] / 2
        return torch.cat([middle - half, middle + half], -1)

    @torch.no_grad()
    def _match(self, anchors: Tensor, truth: Truth, free: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Indices (P,) of picture, true box and place."""
        cells = anchors[:: self.count]
        middle, sides = (truth.boxes[..., :2] + truth.boxes[..., 2:]) / 2, truth.boxes[..., 2:] - truth.boxes[..., :2]
        away_x = (middle[..., None, 0] - cells[:, 0]).abs() / cells[:, 2]  # (B, M, cells), in strides
        away_y = (middle[..., None, 1] - cells[:, 1]).abs() / cells[:, 2]
        near = (torch.minimum(away_x, away_y) <= 0.5) & (torch.maximum(away_x, away_y) < 1) & truth.valid[..., None]
        b, m, cell = near.nonzero(as_tuple=True)
        a = (cell[:, None] * self.count + torch.arange(self.count, device=cell.device)).flatten()
        b, m = b.repeat_interleave(self.count), m.repeat_interleave(self.count)
        quotient = sides[b, m] / anchors[a, 3:]
        fits = (torch.maximum(quotient, 1 / quotient).amax(1) < self.ratio) & free[b, a]
        return b[fits], m[fits], a[fits]


def _anchor_boxes(anchors: Tensor) -> Tensor:
    return torch.cat([anchors[:, :2] - anchors[:, 3:] / 2, anchors[:, :2] + anchors[:, 3:] / 2], 1)


def parse_anchors(anchors: Sequence[Any] | None, strides: Sequence[int]) -> list[list[tuple[float, float]]]:
    """Anchors by level: (levels, K) pairs of width and height in pixels, small ones on fine levels.

    Args:
        anchors: w, h, w, h, … or pairs, in pixels; None: `DEFAULT` times each stride.
        strides: of the levels.

    Raises:
        RecipeError: not pairs of positive numbers, or not equally many per level.
    """
    if anchors is None:
        return [[(w * stride, h * stride) for w, h in DEFAULT] for stride in strides]
    try:
        flat = [float(value) for item in anchors for value in (item if isinstance(item, (list, tuple)) else (item,))]
    except (TypeError, ValueError):
        flat = []
    levels = len(strides)
    if not flat or len(flat) % (2 * levels) or min(flat) <= 0 or max(flat) == float("inf"):
        raise RecipeError(
            f"w, h pairs of positive pixels, equally many for each of {levels} levels", at="anchors", value=anchors,
            fix="anchors=[10,13,16,30,33,23,…], or anchors=None",
        )  # fmt: skip
    pairs = sorted(zip(flat[::2], flat[1::2]), key=lambda pair: pair[0] * pair[1])
    each = len(pairs) // levels
    return [pairs[i * each : (i + 1) * each] for i in range(levels)]


def head(
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    *,
    anchors: Sequence[Any] | None = None,
    ratio: float = 4.0,
    box_loss: str = "ciou",
    box: float = 2.5,
    obj: float = 1.0,
    cls: float = 1.0,
) -> Anchored:
    """The head on a neck's maps.

    Args:
        channels, strides: the neck's.
        space: what the labels mean.
        anchors: see `parse_anchors`; `vidi anchors DATA` fits them.
        ratio: an anchor learns boxes whose sides are between 1/ratio and ratio times its own.
        box_loss: ``ciou``, ``diou``, ``giou`` or ``iou``.
        box, obj, cls: weights of the parts.
    """
    return Anchored(channels, strides, len(space), anchors=anchors, ratio=ratio, box_loss=box_loss, box=box, obj=obj, cls=cls)

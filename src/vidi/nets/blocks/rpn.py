"""The first stage of a two-stage detector: where on the maps is something, of whatever class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.blocks.anchors import Anchors, Shape, check_even, matched, rows_of
from vidi.nets.dense._base import Truth
from vidi.ops.anchor_match import draw_chances
from vidi.ops.box_code import clip_to, decode_boxes, encode_boxes
from vidi.ops.box_loss import smooth_l1_loss
from vidi.ops.static_nms import kept_boxes

BETA, SHARE = 1 / 9, 0.5
SUPPRESSED, SMALLEST = 1e4, 1.0


class RPN(nn.Module):
    """Region proposal network (Ren et al. 2015, arXiv:1506.01497): objectness and offsets for each anchor, one head for all levels.

    Args:
        width: channels of the maps.
        strides: pixels per cell of each level.
        shapes: (width, height) in pixels of each level's anchors, equally many per level.
        candidates: boxes per level that compete for the proposals.
        proposals: boxes per picture that are passed on.
        iou: candidates that overlap a better one by more are no proposals.
        drawn: anchors per picture that count in the loss, see `draw_chances`.
        light: a depthwise 5×5 and a 1×1 convolution (Qin et al. 2019, *ThunderNet*, arXiv:1903.11752) instead of a 3×3.
    """

    def __init__(
        self,
        width: int,
        strides: Sequence[int],
        shapes: Sequence[Sequence[Shape]],
        *,
        candidates: int = 128,
        proposals: int = 100,
        iou: float = 0.7,
        drawn: int = 256,
        light: bool = True,
    ):
        super().__init__()
        count = check_even(shapes)
        self.anchors = Anchors(strides, shapes)
        if light:
            self.conv = nn.Sequential(nn.Conv2d(width, width, 5, padding=2, groups=width), nn.Conv2d(width, width, 1))
        else:
            self.conv = nn.Sequential(nn.Conv2d(width, width, 3, padding=1))
        self.objectness, self.offsets = nn.Conv2d(width, count, 1), nn.Conv2d(width, 4 * count, 1)
        for layer in (*self.conv, self.objectness, self.offsets):
            nn.init.zeros_(layer.bias)
            if layer in (self.objectness, self.offsets):
                nn.init.normal_(layer.weight, std=0.01)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if layer.groups > 1 else "relu")
        self.candidates, self.proposals, self.iou, self.drawn = candidates, proposals, iou, drawn

    def forward(self, maps: Sequence[Tensor], height: int, width: int) -> dict[str, Tensor]:
        """Maps of a picture of a size in pixels to ``objectness`` (B, A) logits, ``rpn_offsets`` (B, A, 4), ``anchors`` (B, A, 4) and
        ``proposals`` (B, K, 4), which pass no gradient on."""
        objectness, offsets = [], []
        for level in maps:
            hidden = F.relu(self.conv(level))
            objectness.append(rows_of(self.objectness(hidden), 1)[..., 0])
            offsets.append(rows_of(self.offsets(hidden), 4))
        anchors = torch.cat(self.anchors(maps))
        raw = {"objectness": torch.cat(objectness, 1), "rpn_offsets": torch.cat(offsets, 1)}
        raw["anchors"] = anchors.expand(len(maps[0]), -1, -1)
        sizes = [part.shape[1] for part in objectness]
        raw["proposals"] = self._propose(raw["objectness"].detach(), raw["rpn_offsets"].detach(), anchors, sizes, height, width)
        return raw

    @torch.no_grad()
    def _propose(
        self, objectness: Tensor, offsets: Tensor, anchors: Tensor, sizes: Sequence[int], height: int, width: int
    ) -> Tensor:
        """The best boxes of each level, less those that a better one covers, (B, K, 4).

        They are ordered by anchor and not by score, so that a small change of the scores (another batch size, an exported or
        quantized net) leaves most of them in place.
        """
        objectness, offsets = objectness.float(), offsets.float()
        chosen, start = [], 0
        for size in sizes:
            part = objectness[:, start : start + size]
            chosen.append(part.topk(min(self.candidates, size), dim=1).indices + start)
            start += size
        index = torch.cat(chosen, 1)  # (B, N)
        scores, order = objectness.gather(1, index).sort(dim=1, descending=True, stable=True)
        index = index.gather(1, order)
        boxes = decode_boxes(offsets.gather(1, index[..., None].expand(-1, -1, 4)), anchors[index])
        boxes = clip_to(boxes, height, width)
        usable = kept_boxes(boxes, self.iou) & ((boxes[..., 2:] - boxes[..., :2]).amin(-1) >= SMALLEST)
        ranks = torch.where(usable, scores, scores - SUPPRESSED)
        best = ranks.topk(min(self.proposals, ranks.shape[1]), dim=1).indices
        best = best.gather(1, index.gather(1, best).argsort(dim=1))
        return boxes.gather(1, best[..., None].expand(-1, -1, 4))

    def loss(self, raw: Mapping[str, Tensor], truth: Truth) -> dict[str, Tensor]:
        """``rpn_objectness`` and ``rpn_box``, each (B,): cross-entropy and smooth L1, over the number of anchors drawn."""
        logits, offsets, anchors = raw["objectness"].float(), raw["rpn_offsets"], raw["anchors"][0]
        taken = matched(anchors, truth, high=0.7, low=0.3, rescue="tied")
        chances = draw_chances(taken, self.drawn, SHARE) / self.drawn
        entropy = F.binary_cross_entropy_with_logits(logits, (taken >= 0).float(), reduction="none")
        b, a = (taken >= 0).nonzero(as_tuple=True)
        target = encode_boxes(truth.boxes[b, taken[b, a]], anchors[a])
        distance = smooth_l1_loss(offsets[b, a], target, BETA).sum(1) * chances[b, a]
        return {"rpn_objectness": (entropy * chances).sum(1), "rpn_box": logits.new_zeros(len(logits)).index_add(0, b, distance)}

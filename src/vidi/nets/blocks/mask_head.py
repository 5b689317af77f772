"""The third look of a two-stage detector: a small mask for each of the boxes it is surest of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.blocks.mask_truth import array, spread
from vidi.nets.blocks.roi import GROUPS, BoxStage, BoxStages, RoIPooler
from vidi.nets.dense._base import Truth, started
from vidi.ops.anchor_match import match_anchors
from vidi.ops.box_code import clip_to
from vidi.ops.cutouts import Cutout
from vidi.ops.masks import box_coverage
from vidi.ops.static_nms import kept_boxes

POOLED = 14
OVERLAP = 0.5
"""Candidates that overlap a true box by this much learn its mask."""
DOUBLE = 0.7
"""A candidate that overlaps a better one of its class by more gets its mask last."""


class MaskHead(nn.Module):
    """Convolutions, one transposed convolution that doubles the side, and logits (He et al. 2017, arXiv:1703.06870); norms over groups of
    channels (Wu and He 2018, arXiv:1803.08494). The four cells that the transposed convolution makes of one are alike at first, or masks show a
    grid until it has learned (Aitken et al. 2017, arXiv:1707.02937).

    Args:
        width: channels of what is pooled.
        channels: of the convolutions; the paper has 256.
        depth: number of convolutions; the paper has 4.
        outputs: masks per box: 1, or one for each class.
        light: each 3×3 convolution is a depthwise and a 1×1 one.
    """

    def __init__(self, width: int, channels: int, depth: int, outputs: int, *, light: bool = False):
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(depth):
            inputs = channels if i else width
            if light:
                layers += [
                    nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
                    nn.Conv2d(inputs, channels, 1, bias=False),
                ]
            else:
                layers.append(nn.Conv2d(inputs, channels, 3, padding=1, bias=False))
            layers += [nn.GroupNorm(math.gcd(channels, GROUPS), channels), nn.ReLU(inplace=True)]
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="linear" if layer.groups > 1 else "relu")
        double = nn.ConvTranspose2d(channels if depth else width, channels, 2, 2)
        with torch.no_grad():
            nn.init.kaiming_normal_(double.weight, mode="fan_out", nonlinearity="relu")
            double.weight[:] = double.weight[:, :, :1, :1].clone()
        layers += [double, nn.ReLU(inplace=True)]
        self.layers, self.logits = nn.Sequential(*layers), started(nn.Conv2d(channels, outputs, 1), 0.0)

    def forward(self, pooled: Tensor) -> Tensor:
        """(R, width, s, s) to logits (R, outputs, 2s, 2s)."""
        return self.logits(self.layers(pooled))


class MaskStages(BoxStages):
    """Box stages, and masks of the candidates that their last stage leaves.

    Args:
        pooler, stages: see `BoxStages`.
        masks: the head.
        looked: candidates per picture that get a mask.
        learned: most boxes per picture whose masks are learned.
    """

    def __init__(self, pooler: RoIPooler, stages: Sequence[BoxStage], masks: MaskHead, *, looked: int = 50, learned: int = 32):
        super().__init__(pooler, stages)
        self.mask_pooler = RoIPooler(pooler.strides, POOLED)
        self.masks, self.looked, self.learned = masks, looked, learned

    def forward(self, maps: Sequence[Tensor], proposals: Tensor, height: int, width: int) -> dict[str, Tensor]:
        """`BoxStages`' outputs, and for the M boxes that have masks: ``mask_places`` (B, M) their rows among the candidates, ``mask_boxes``
        (B, M, 4) within the picture, and ``masks`` (B, M, 1 or C, 28, 28) logits."""
        raw = super().forward(maps, proposals, height, width)
        raw["mask_places"], boxes = self._look(raw, height, width)
        pooled = self.mask_pooler(maps, boxes)
        raw["masks"] = self.masks(pooled.flatten(0, 1)).unflatten(0, pooled.shape[:2])
        return raw | {"mask_boxes": boxes}

    @torch.no_grad()
    def _look(self, raw: Mapping[str, Tensor], height: int, width: int) -> tuple[Tensor, Tensor]:
        """Which candidates get a mask, (B, M) int64 in their own order, and their boxes (B, M, 4): the best that no better one covers."""
        boxes, scores = self.decode(raw)
        best, classes = scores.max(2)
        boxes = clip_to(own_boxes(boxes, classes), height, width)
        ranks, order = best.sort(dim=1, descending=True, stable=True)
        apart = boxes + (classes * (max(height, width) + 1.0))[..., None]
        kept = kept_boxes(apart.gather(1, order[..., None].expand(-1, -1, 4)), DOUBLE)
        ranks = torch.where(kept, ranks, ranks - 2)
        top = ranks.topk(min(self.looked, ranks.shape[1]), dim=1).indices
        places = order.gather(1, top).sort(dim=1).values
        return places, boxes.gather(1, places[..., None].expand(-1, -1, 4))

    def mask_loss(
        self, maps: Sequence[Tensor], raw: Mapping[str, Tensor], truth: Truth, cuts: Sequence[Sequence[Cutout | None]]
    ) -> Tensor:
        """(B,) binary cross-entropy, the mean over the boxes that learn and their cells: true boxes, and candidates that fit one. The head
        looks at them again, so that those which teach nothing cost no gradient.

        Args:
            cuts: the masks of the true things, see `vidi.nets.blocks.mask_truth.true_cutouts`.
        """
        boxes, things = [], []
        for i, own in enumerate(cuts):
            one, thing = self._taken(raw["mask_boxes"][i].float(), truth.boxes[i], own)
            boxes.append(one)
            things.append(thing)
        counts = [len(one) for one in boxes]
        zero = raw["mask_boxes"].new_zeros(len(counts), dtype=torch.float32)
        if not sum(counts):
            return zero
        longest = max(counts)
        pooled = self.mask_pooler(maps, torch.stack([F.pad(one, (0, 0, 0, longest - len(one))) for one in boxes]))
        pooled = torch.cat([part[:count] for part, count in zip(pooled, counts)])
        logits = self.masks(pooled).float()
        rows = torch.repeat_interleave(torch.tensor(counts)).to(zero.device)
        classes = truth.classes[rows, torch.cat(things)] if logits.shape[1] > 1 else torch.zeros_like(rows)
        logits = logits.gather(1, classes[:, None, None, None].expand(-1, 1, *logits.shape[2:]))[:, 0]
        target = torch.cat([_targets(*given, logits.shape[-1]) for given in zip(cuts, boxes, things)])
        losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((1, 2))
        share = 1 / torch.tensor(counts, dtype=torch.float32, device=zero.device).clamp_min(1)
        return zero.index_add(0, rows, losses) * share

    @torch.no_grad()
    def _taken(self, candidates: Tensor, true: Tensor, cuts: Sequence[Cutout | None]) -> tuple[Tensor, Tensor]:
        """The boxes (R, 4) of one picture that learn masks, and the true thing that each learns (R,)."""
        owned = torch.tensor([m for m, cut in enumerate(cuts) if cut is not None], dtype=torch.int64, device=true.device)
        if not len(owned):
            return true[:0], owned
        taken = match_anchors(candidates, true[: len(cuts)], high=OVERLAP)
        fits = torch.isin(taken, owned)
        fits = fits.nonzero()[:, 0]
        owned = owned[spread(len(owned), self.learned)]
        fits = fits[spread(len(fits), self.learned - len(owned))]
        return torch.cat([true[owned], candidates[fits]]), torch.cat([owned, taken[fits]])


def _targets(cuts: Sequence[Cutout | None], boxes: Tensor, things: Tensor, side: int) -> Tensor:
    """(R, side, side) what the cells of boxes hold of the things they learn."""
    target = torch.zeros(len(boxes), side, side)
    corners, owner = array(boxes), things.cpu()
    for thing in owner.unique().tolist():
        cut, rows = cuts[thing], owner == thing
        if cut is not None:
            target[rows] = torch.from_numpy(box_coverage(cut, corners[rows.numpy()], side))
    return target.to(boxes.device)


def own_boxes(boxes: Tensor, classes: Tensor) -> Tensor:
    """(B, K, 4): of boxes (B, K, 1 or C, 4), those of classes (B, K)."""
    if boxes.shape[2] == 1:
        return boxes[:, :, 0]
    return boxes.gather(2, classes[..., None, None].expand(-1, -1, 1, 4))[:, :, 0]

"""Which truth each anchor or proposal answers for, decided by overlap, in torch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

NEGATIVE, IGNORED = -1, -2
CROWD_SHARE = 0.5


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Of every box of (N, 4) with every box of (M, 4): intersection over union, and over the area of the second; (N, M) each, 0
    where a denominator is."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = (high - low).clamp_min_(0)
    shared = sides[..., 0] * sides[..., 1]
    area_a, area_b = _area(a)[:, None], _area(b)[None]
    tiny = torch.finfo(shared.dtype).tiny
    return shared / (area_a + area_b - shared).clamp_min(tiny), shared / area_b.clamp_min(tiny)


@torch.no_grad()
def match_anchors(
    anchors: Tensor,
    boxes: Tensor,
    regions: Tensor | None = None,
    *,
    high: float = 0.5,
    low: float | None = None,
    rescue: Literal["none", "tied", "own"] = "none",
) -> Tensor:
    """For one picture, the index of the truth that each anchor answers for, `NEGATIVE` (background) or `IGNORED`: (A,) int64.

    An anchor takes the truth it overlaps most if their IoU is at least `high`; below `low` it is background; between the two it is
    ignored. Anchors of which half or more lies inside a crowd region are ignored unless they took a truth. In ties the first truth wins.

    Args:
        anchors: (A, 4) x1, y1, x2, y2.
        boxes: (G, 4) truth, G may be 0; boxes may be without area.
        regions: (K, 4) places of crowds, K may be 0.
        high, low: IoU thresholds; `low` equals `high` when None.
        rescue: what becomes of truth that no anchor overlaps by `high`. ``none``: nothing. ``tied`` (Ren et al. 2015,
            arXiv:1506.01497): all anchors that overlap some truth most take the truth they overlap most. ``own`` (Liu et al. 2016,
            arXiv:1512.02325): each truth gets the anchor that overlaps it most, even from another truth; two truths that want the same
            anchor leave it to the nearer.
    """
    taken = torch.full((len(anchors),), NEGATIVE, dtype=torch.int64, device=anchors.device)
    if len(anchors) == 0:
        return taken
    if regions is not None and len(regions):
        crowded = (overlaps(regions, anchors)[1] >= CROWD_SHARE).any(0)
        taken[crowded] = IGNORED
    if len(boxes) == 0:
        return taken
    iou = overlaps(boxes, anchors)[0]  # (G, A)
    best, choice = iou.max(0)
    positive = best >= high
    if low is not None:
        taken[best >= low] = IGNORED
    if rescue == "tied":
        peak = iou.amax(1, keepdim=True)
        positive = positive | ((iou == peak) & (peak > 0)).any(0)
    elif rescue == "own":
        own = torch.zeros_like(iou, dtype=torch.bool).scatter_(1, iou.argmax(1, keepdim=True), True)
        closest, owner = iou.masked_fill(~own, 0.0).max(0)
        choice = torch.where(closest > 0, owner, choice)
        positive = positive | (closest > 0)
    return torch.where(positive, choice, taken)


def draw_chances(taken: Tensor, count: int, share: float) -> Tensor:
    """The chance of each candidate to be drawn for the loss, (…, A): 0 for ignored ones.

    Faster R-CNN draws `count` candidates, of which at most `share` are positive, all others negative. Weighing each candidate's loss
    by its chance gives the same loss on average, without noise and without a random number, so that a picture's loss depends on
    nothing else.

    Args:
        taken: (…, A) what `match_anchors` gave.
        count: how many are drawn; the losses' normalizer.
        share: largest share of positives, 0..1.
    """
    positive, negative = taken >= 0, taken == NEGATIVE
    positives = positive.sum(-1, keepdim=True)
    drawn = positives.clamp(max=int(count * share))
    rest = (count - drawn) / negative.sum(-1, keepdim=True).clamp_min(1)
    return positive * (drawn / positives.clamp_min(1)) + negative * rest.clamp(max=1.0)


def _area(boxes: Tensor) -> Tensor:
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0)
    return sides[:, 0] * sides[:, 1]

"""Which place of a dense detector answers for which true box."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.ops.box_loss import box_iou

LEAST_IOU = 1e-3


@dataclass(frozen=True, slots=True)
class Assignment:
    """What each of A places is to learn.

    Args:
        index: (B, A) int64, the true box it answers for, −1 for background.
        share: (B, A) float32 in 0..1, its alignment over that of the box's best place; 0 for background.
        quality: (B, A) float32 in 0..1, `share` times the best overlap that the box has: the target of the class score.
    """

    index: Tensor
    share: Tensor
    quality: Tensor


@torch.no_grad()
def task_aligned(
    scores: Tensor,
    boxes: Tensor,
    points: Tensor,
    truth: Tensor,
    classes: Tensor,
    valid: Tensor,
    *,
    allowed: Tensor | None = None,
    topk: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
    reach: float = 8.0,
) -> Assignment:
    """Task-aligned assignment (Feng et al. 2021, *TOOD*, arXiv:2108.07755).

    A place whose center lies in a true box is aligned with it by score^alpha · IoU^beta, where score is what it says of the box's
    class and IoU how well its own box fits. Each true box takes its `topk` most aligned places; a place wanted by several boxes goes
    to the one it overlaps most. Places of one picture compete with each other only, so a picture's result does not depend on its
    batch.

    Overlaps below 0.001 count as that much, so that boxes which nothing fits yet still choose. In every tie the lower index wins.

    Args:
        scores: (B, A, C) in 0..1.
        boxes: (B, A, 4) the places' own boxes, x1, y1, x2, y2 in pixels.
        points: (A, 2) their centers, x and y in pixels.
        truth: (B, M, 4) true boxes, padded.
        classes: (B, M) int64.
        valid: (B, M) bool, where there is a true box.
        allowed: (B, A) bool, places that may be chosen; None: all.
        topk: places per true box.
        alpha, beta: powers of score and overlap.
        reach: pixels; true boxes count as at least this wide and high in the question of whose center lies in them, so that none is
            between all centers. The finest stride is right.
    """
    count, places = boxes.shape[:2]
    index = boxes.new_full((count, places), -1, dtype=torch.int64)
    share, quality = boxes.new_zeros(count, places), boxes.new_zeros(count, places)
    inside = _inside(points, truth, reach) & valid[..., None]
    if allowed is not None:
        inside &= allowed[:, None]
    b, m, a = inside.nonzero(as_tuple=True)
    if len(b) == 0:
        return Assignment(index, share, quality)
    iou = box_iou(boxes[b, a], truth[b, m])
    aligned = scores[b, a, classes[b, m]].clamp(min=0) ** alpha * iou.clamp(min=LEAST_IOU) ** beta
    keep = _best(b * truth.shape[1] + m, aligned, topk)
    b, m, a, iou, aligned = b[keep], m[keep], a[keep], iou[keep], aligned[keep]
    keep = _best(b * places + a, iou, 1)
    b, m, a, iou, aligned = b[keep], m[keep], a[keep], iou[keep], aligned[keep]
    owner = b * truth.shape[1] + m
    most = aligned.new_zeros(count * truth.shape[1]).scatter_reduce(0, owner, aligned, "amax")
    fit = iou.new_zeros(count * truth.shape[1]).scatter_reduce(0, owner, iou, "amax")
    relative = torch.where(most[owner] > 0, aligned / most[owner], 1.0)
    index[b, a], share[b, a], quality[b, a] = m, relative, relative * fit[owner]
    return Assignment(index, share, quality)


def _inside(points: Tensor, truth: Tensor, reach: float) -> Tensor:
    """(B, M, A) bool: the center lies in the box, or in the box widened to `reach`."""
    middle, half = (truth[..., :2] + truth[..., 2:]) / 2, ((truth[..., 2:] - truth[..., :2]) / 2).clamp(min=reach / 2)
    low, high = (middle - half)[:, :, None], (middle + half)[:, :, None]
    x, y = points[:, 0], points[:, 1]
    across = (x >= low[..., 0]) & (x <= high[..., 0])
    return across & (y >= low[..., 1]) & (y <= high[..., 1])


def _best(groups: Tensor, values: Tensor, count: int) -> Tensor:
    """Places of the `count` largest values of each group, lower places first among equals; sorted by group, then by value."""
    order = torch.argsort(values, descending=True, stable=True)
    order = order[torch.argsort(groups[order], stable=True)]
    sorted_groups = groups[order]
    starts = torch.searchsorted(sorted_groups, sorted_groups)
    rank = torch.arange(len(order), device=order.device) - starts
    return order[rank < count]


def center_sampled(
    points: Tensor,
    strides: Tensor,
    truth: Tensor,
    valid: Tensor,
    ranges: Tensor,
    *,
    allowed: Tensor | None = None,
    radius: float = 1.5,
) -> Tensor:
    """Assignment of FCOS (Tian et al. 2019, arXiv:1904.01355) with center sampling.

    A place may answer for a box if its center lies in the box, no further than `radius` strides from the box's middle, and the
    largest distance to the box's sides is in the place's range. Of several boxes the smallest takes it, the first among equals.

    Args:
        points: (A, 2) centers in pixels.
        strides: (A,).
        truth: (B, M, 4) padded true boxes.
        valid: (B, M) bool.
        ranges: (A, 2) smallest and largest distance in pixels.
        allowed: (B, A) bool, places that may be chosen; None: all.
        radius: in strides.

    Returns:
        (B, A) int64, −1 for background.
    """
    if truth.shape[1] == 0:
        return torch.full((len(truth), len(points)), -1, dtype=torch.int64, device=truth.device)
    x, y = points[:, 0], points[:, 1]
    box = truth[:, :, None]
    sides = torch.stack([x - box[..., 0], y - box[..., 1], box[..., 2] - x, box[..., 3] - y], 3)  # (B, M, A, 4)
    middle = (box[..., :2] + box[..., 2:]) / 2
    near = ((points - middle).abs().amax(3) < radius * strides) & (sides.amin(3) > 0)
    longest = sides.amax(3)
    fits = near & (longest >= ranges[:, 0]) & (longest <= ranges[:, 1]) & valid[..., None]
    if allowed is not None:
        fits &= allowed[:, None]
    area = (truth[..., 2] - truth[..., 0]) * (truth[..., 3] - truth[..., 1])
    size = torch.where(fits, area[..., None], torch.inf)
    least, index = size.min(1)
    return torch.where(least.isfinite(), index, -1)

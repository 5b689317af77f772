"""Non-maximum suppression in a fixed number of matrix steps: no branch on data, so it can stand in a net's forward and be exported."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def kept_boxes(boxes: Tensor, iou: float, steps: int = 10) -> Tensor:
    """Which boxes greedy suppression keeps: (B, N) bool (Cluster-NMS, Zheng et al. 2020, arXiv:2005.03572).

    Step k decides rightly about every box whose chain of suppressors is at most k long; one step alone is Fast NMS (Bolya et al. 2019,
    arXiv:1904.02689). Chains longer than ten are rare; where one is, some boxes more or fewer than the greedy ones are kept.

    Args:
        boxes: (B, N, 4) x1, y1, x2, y2 by falling score.
        iou: a box that overlaps a kept one of higher score by more is suppressed.
        steps: number of matrix steps.
    """
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    sides = (high - low).clamp_min(0)
    shared = sides[..., 0] * sides[..., 1]
    own = (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)
    union = own[:, :, None] + own[:, None] - shared
    over = (shared > iou * union).to(boxes.dtype).tril(-1)  # row i: what could suppress box i
    kept = boxes.new_ones(*boxes.shape[:2], 1)
    for _ in range(steps):
        kept = (torch.bmm(over, kept) < 0.5).to(boxes.dtype)
    return kept[..., 0] > 0.5

"""Losses of detectors, element by element: overlap of boxes, scores of classes, distances as distributions.

Boxes are (…, 4) float, x1, y1, x2, y2 in pixels, compared row by row. Everything is computed in float32 or better and has finite
gradients for every finite input, boxes without area included.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL = 1e-7
SHORTEST = 1e-3
"""Pixels: shorter sides have no shape (`ciou_loss`)."""


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union, row by row: (…) in 0..1, 0 where the union is empty."""
    shared, union = _shared_union(_float(a), _float(b))
    return shared / (union + SMALL)


def iou_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 − IoU (Yu et al. 2016, *UnitBox*, arXiv:1608.01471, linear form): (…) in 0..1."""
    return 1 - box_iou(a, b)


def giou_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 − generalized IoU (Rezatofighi et al. 2019, arXiv:1902.09630): (…) in 0..2; boxes apart still attract each other."""
    a, b = _float(a), _float(b)
    shared, union = _shared_union(a, b)
    sides = _hull(a, b)
    hull = sides[..., 0] * sides[..., 1]
    return 1 - shared / (union + SMALL) + (hull - union) / (hull + SMALL)


def diou_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 − IoU + the squared distance of the centers over the squared diagonal of the hull (Zheng et al. 2020, arXiv:1911.08287)."""
    return _diou(_float(a), _float(b))[0]


def ciou_loss(a: Tensor, b: Tensor) -> Tensor:
    """`diou_loss` plus a term for the aspect ratio (Zheng et al. 2020, arXiv:1911.08287). The term's weight is not differentiated.

    Sides shorter than 0.001 pixels count as that long in the aspect ratio.
    """
    a, b = _float(a), _float(b)
    loss, iou = _diou(a, b)
    angle_a, angle_b = _angle(a), _angle(b)
    difference = (4 / math.pi**2) * (angle_a - angle_b).square()
    with torch.no_grad():
        weight = difference / (1 - iou + difference + SMALL)
    return loss + weight * difference


BOX_LOSSES = {"iou": iou_loss, "giou": giou_loss, "diou": diou_loss, "ciou": ciou_loss}


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss on independent classes (Lin et al. 2017, arXiv:1708.02002), of the inputs' shape.

    Args:
        logits, targets: of one shape; targets 0 or 1.
        alpha: weight of positives, 1 − alpha that of negatives; below 0: none.
        gamma: how strongly easy places are discounted.
    """
    logits, targets = _float(logits), _float(targets)
    probability = logits.sigmoid()
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    loss = loss * (probability + targets - 2 * probability * targets) ** gamma
    return loss if alpha < 0 else loss * (alpha * targets + (1 - alpha) * (1 - targets))


def quality_focal_loss(logits: Tensor, targets: Tensor, beta: float = 2.0) -> Tensor:
    """Cross-entropy to a soft target, discounted where the score is near it already (Li et al. 2020, *GFL*, arXiv:2006.04388)."""
    logits, targets = _float(logits), _float(targets)
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return loss * (targets - logits.sigmoid()).abs() ** beta


def varifocal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.75, gamma: float = 2.0) -> Tensor:
    """Cross-entropy to a soft target, positives weighted by it, negatives discounted as in focal loss (Zhang et al. 2021,
    *VarifocalNet*, arXiv:2008.13367)."""
    logits, targets = _float(logits), _float(targets)
    weight = torch.where(targets > 0, targets, alpha * logits.sigmoid() ** gamma)
    return weight * F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def distribution_focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of a distribution over 0..R−1 to the two whole numbers around a target (Li et al. 2020, *GFL*,
    arXiv:2006.04388).

    Args:
        logits: (…, R), R at least 2.
        targets: (…) in 0..R−1; those beyond are moved inside.

    Returns:
        (…) float32.
    """
    targets = _float(targets).clamp(0, logits.shape[-1] - 1 - 1e-3)
    low = targets.floor()
    share = targets - low
    logs = _float(logits).log_softmax(-1)
    index = low.long()[..., None]
    return -(logs.gather(-1, index)[..., 0] * (1 - share) + logs.gather(-1, index + 1)[..., 0] * share)


def smooth_l1_loss(values: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    """Squared below `beta`, absolute above (Girshick 2015, *Fast R-CNN*, arXiv:1504.08083), of the inputs' shape."""
    return F.smooth_l1_loss(_float(values), _float(targets), reduction="none", beta=beta)


def _float(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _shared_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides[..., 0] * sides[..., 1]
    return shared, _area(a) + _area(b) - shared


def _area(boxes: Tensor) -> Tensor:
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def _hull(a: Tensor, b: Tensor) -> Tensor:
    """(…, 2) width and height around both."""
    return (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0)


def _diou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and the IoU."""
    shared, union = _shared_union(a, b)
    iou = shared / (union + SMALL)
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]).square().sum(-1) / 4
    return 1 - iou + apart / (_hull(a, b).square().sum(-1) + SMALL), iou


def _angle(boxes: Tensor) -> Tensor:
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=SHORTEST)
    return torch.atan(sides[..., 0] / sides[..., 1])

"""Losses of class maps: of every pixel alone, of the overlap of whole regions, of their borders.

`logs` are log-probabilities (B, C, H, W) float32 over dim 1, `probabilities` their exponentials, `truth` (B, H, W) int64 class indices with
−1 where the truth is not known. Such pixels have no say anywhere. Everything is per picture, and finite with finite gradients for every
finite input, maps without a known pixel included.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import Tensor

UNKNOWN = -1
SMALL = 1e-6


def picture_mean(values: Tensor, truth: Tensor) -> Tensor:
    """(B,) mean of per-pixel values (B, H, W), which are 0 where the truth is not known, over the known pixels; 0 without any."""
    return values.sum((1, 2)) / (truth != UNKNOWN).sum((1, 2)).clamp_min(1)


def cross_entropy(logs: Tensor, truth: Tensor, weights: Tensor | None = None) -> Tensor:
    """(B, H, W) −log p of the true class, times the weight (C,) of that class; 0 where the truth is not known."""
    return F.nll_loss(logs, truth, weights, ignore_index=UNKNOWN, reduction="none")


def focal(logs: Tensor, truth: Tensor, gamma: float = 2.0, weights: Tensor | None = None) -> Tensor:
    """(B, H, W) −(1 − p)^gamma · log p of the true class (Lin et al. 2017, arXiv:1708.02002), times its weight."""
    plain = cross_entropy(logs, truth)
    values = (1 - (-plain).exp()).clamp_min(SMALL) ** gamma * plain
    return values if weights is None else values * weights[truth.clamp_min(0)]


def hardest(values: Tensor, truth: Tensor, threshold: float, least: float) -> Tensor:
    """(B,) mean over the hard pixels: online hard example mining (Shrivastava et al. 2016, arXiv:1604.03540).

    Args:
        values: (B, H, W) cross-entropy in nats.
        threshold: a pixel is hard where the probability of its class is below this, 0..1.
        least: so many of the picture's known pixels, as a share in 0..1 and at least one, are kept: the hardest if too few are hard.
    """
    known = (truth != UNKNOWN).flatten(1)
    flat = values.flatten(1)
    with torch.no_grad():
        falling = flat.masked_fill(~known, -1.0).sort(1, descending=True).values
        kept = (known.sum(1) * least).ceil().long().clamp_min(1)
        border = falling.gather(1, (kept - 1)[:, None]).clamp(max=-math.log(max(threshold, SMALL)))
        hard = known & (flat >= border)
    return (flat * hard).sum(1) / hard.sum(1).clamp_min(1)


def overlaps(probabilities: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each class, (B, C) each: Σ p over the pixels of the class, Σ p over all known pixels, and the number of the class's pixels."""
    hits = truth[:, None] == torch.arange(probabilities.shape[1], device=truth.device)[:, None, None]
    known = (truth != UNKNOWN)[:, None]
    return (probabilities * hits).sum((2, 3)), (probabilities * known).sum((2, 3)), hits.sum((2, 3)).to(probabilities.dtype)


def tversky_index(
    probabilities: Tensor, truth: Tensor, false_positive: float = 0.5, false_negative: float = 0.5, smooth: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Tversky's index of each class of a picture (Salehi et al. 2017, arXiv:1706.05721): (B, C) in 0..1, and which classes are there,
    (B, C) bool.

    Args:
        false_positive, false_negative: weights of what is wrongly found and of what is missed; 0.5 and 0.5 make it Dice's coefficient.
        smooth: pixels added to numerator and denominator.
    """
    both, found, there = overlaps(probabilities, truth)
    wrong = false_positive * (found - both) + false_negative * (there - both)
    return (both + smooth) / (both + wrong + smooth).clamp_min(SMALL), there > 0


def class_mean(values: Tensor, present: Tensor) -> Tensor:
    """(B,) mean of (B, C) over the classes that are present (B, C); 0 where none is."""
    return (values * present).sum(1) / present.sum(1).clamp_min(1)


def lovasz_softmax(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Lovász extension of 1 − IoU, the mean over a picture's present classes (Berman et al. 2018, arXiv:1705.08790): (B,) in 0..1."""
    classes = probabilities.shape[1]
    hits = (truth[:, None] == torch.arange(classes, device=truth.device)[:, None, None]).flatten(2)
    known = (truth != UNKNOWN).flatten(1)[:, None]
    errors = (hits.to(probabilities.dtype) - probabilities.flatten(2)).abs().masked_fill(~known, -1.0)
    falling, order = errors.sort(dim=2, descending=True, stable=True)
    with torch.no_grad():
        ranked = hits.gather(2, order).to(torch.float32)
        total = ranked.sum(2, keepdim=True)
        missed = ranked.cumsum(2)
        places = torch.arange(1, ranked.shape[2] + 1, device=ranked.device)
        jaccard = 1 - (total - missed) / (total + places - missed)
        steps = torch.cat([jaccard[:, :, :1], jaccard[:, :, 1:] - jaccard[:, :, :-1]], 2)
    return class_mean((falling.clamp_min(0) * steps).sum(2), total[:, :, 0] > 0)


def signed_distances(classes: np.ndarray, count: int) -> np.ndarray:
    """How far each pixel lies from the border of each class's region, in diagonals of the map: (count, H, W) float32, negative inside.

    Args:
        classes: (H, W) class indices, −1 where not known.
        count: number of classes. Classes that are nowhere, or everywhere, have no border: 0.
    """
    out, diagonal = np.zeros((count, *classes.shape), np.float32), float(np.hypot(*classes.shape))
    for index in np.unique(classes[classes >= 0]):
        inside = classes == index
        if not inside.all():
            out[index] = (distance_transform_edt(~inside) - np.where(inside, distance_transform_edt(inside) - 1, 0)) / diagonal
    return out


def boundary(probabilities: Tensor, truth: Tensor, distances: Tensor) -> Tensor:
    """(B,) Σ over classes of the mean of probability × distance (B, C, H, W) (Kervadec et al. 2019, arXiv:1812.07032); may be negative."""
    known = (truth != UNKNOWN)[:, None]
    return picture_mean((probabilities * (distances * known)).sum(1), truth)

"""ArcFace: softmax over angles to class centers, with a margin on the own class's angle; sub-centers for noisy classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vidi.errors import RecipeError
from vidi.nets.metric_losses._base import ABSENT, MetricLoss, in_range, proxies


class ArcFace(MetricLoss):
    """Cross-entropy of scale · cos(angle), where `margin` is added to the angle to the own class (Deng et al. 2019, arXiv:1801.07698);
    of several centers of a class the nearest counts (Deng et al. 2020, "Sub-center ArcFace").

    Args:
        dim, classes: D and C.
        margin: added to the angle, radians, up to π/2; the paper has 0.5.
        scale: factor on the cosines; the paper has 64, for tens of thousands of classes.
        centers: per class; 3 where labels are noisy.
    """

    def __init__(self, dim: int, classes: int, margin: float, scale: float, centers: int):
        super().__init__()
        in_range("margin", margin, 0, math.pi / 2, closed=True)
        in_range("scale", scale, 0)
        if centers < 1:
            raise RecipeError("a class has at least one center", at="centers", value=centers)
        self.margin, self.scale = margin, scale
        self.proxies = proxies(dim, classes, centers)

    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> Tensor:
        cosine = torch.einsum("bd,ckd->bck", vectors, F.normalize(self.proxies.to(vectors.dtype), dim=-1)).amax(2)
        known = identity >= 0
        own = identity.clamp_min(0)[:, None]
        near = cosine.gather(1, own)
        sine = (1 - near.square()).clamp_min(1e-8).sqrt()
        turned = near * math.cos(self.margin) - sine * math.sin(self.margin)
        # Beyond 180° a larger angle would have a larger cosine: from there on the authors go down in a straight line.
        turned = torch.where(near > -math.cos(self.margin), turned, near - self.margin * math.sin(self.margin))
        logits = (self.scale * cosine.scatter(1, own, turned)).masked_fill(~present, ABSENT)
        return torch.where(known, -logits.log_softmax(1).gather(1, own)[:, 0], 0.0)


def loss(dim: int, classes: int, *, margin: float = 0.3, scale: float = 30.0, centers: int = 1) -> ArcFace:
    """See `ArcFace`."""
    return ArcFace(dim, classes, margin, scale, centers)

"""A layer's maps, each weighted by its positive gradients, those of places that bear the target most counting most (Chattopadhyay et al.
2018, arXiv:1710.11063, equations 10 and 19 for an exponential of the target)."""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.methods.explain._cam import Cam


class GradCamPlusPlus(Cam):
    name = "gradcam_pp"

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        squares = slopes.square()
        below = 2 * squares + maps.sum((2, 3), keepdim=True) * squares * slopes
        shares = torch.where(below != 0, squares / torch.where(below != 0, below, 1.0), 0.0)
        return ((shares * slopes.relu()).sum((2, 3), keepdim=True) * maps).sum(1)


def explainer(*, layer: str | None = None) -> GradCamPlusPlus:
    """The method; see `Cam` for the setting."""
    return GradCamPlusPlus(layer)

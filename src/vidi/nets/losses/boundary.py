"""Boundary loss: probability mass far outside of a class's region costs, mass deep inside pays (Kervadec et al. 2019, arXiv:1812.07032).

Use it beside a loss of regions (``dice+0.5*boundary``): alone it is content with nothing at all. It may be negative. Its distance maps are
computed from the truth at every step, some milliseconds per picture and class.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidi.nets.losses._base import PixelLoss, View
from vidi.ops.pixel_loss import boundary, signed_distances


class Boundary(PixelLoss):
    """Distances are in diagonals of the picture."""

    def forward(self, view: View) -> Tensor:
        count, maps = view.logits.shape[1], view.truth.cpu().numpy()
        distances = np.stack([signed_distances(one, count) for one in maps]) if len(maps) else np.zeros(view.logits.shape, np.float32)
        return boundary(view.probabilities, view.truth, torch.from_numpy(distances).to(view.logits.device))


def loss() -> Boundary:
    """The loss."""
    return Boundary()

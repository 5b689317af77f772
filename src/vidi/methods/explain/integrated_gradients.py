"""Gradients along the straight way from a picture of nothing, times the way (Sundararajan, Taly and Yan 2017, arXiv:1703.01365): the
relevance of all pixels adds up to the difference of the target between both ends."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.methods.explain._base import FILLS, Explainer, at_least, copies, known_fill, slope
from vidi.methods.explain._target import Target


class IntegratedGradients(Explainer):
    """
    Args:
        steps: places on the way, those of Gauss and Legendre.
        baseline: where the way begins: ``black``, ``mean`` (the picture's mean color) or ``blur``.
    """

    name = "integrated_gradients"
    gradients = True
    signed = True

    def __init__(self, steps: int = 50, baseline: str = "black"):
        at_least(1, steps=steps)
        self.steps, self.baseline = steps, known_fill(baseline, "baseline")

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        return self.attributions(images, target).sum(1)

    def attributions(self, images: Tensor, target: Target) -> Tensor:
        """The same for each channel, (B, 3, H, W)."""
        begin = FILLS[self.baseline](images)
        places, weights = np.polynomial.legendre.leggauss(self.steps)
        total = torch.zeros_like(images)
        each = copies(images)
        rows = torch.arange(len(images), device=images.device)
        for start in range(0, self.steps, each):
            shares = torch.from_numpy((places[start : start + each] + 1) / 2).to(images)
            parts = torch.from_numpy(weights[start : start + each] / 2).to(images).view(-1, 1, 1, 1, 1)
            on_way = begin + shares.view(-1, 1, 1, 1, 1) * (images - begin)
            found = slope(on_way.flatten(0, 1), target[rows.repeat(len(shares))])
            total += (found.view_as(on_way) * parts).sum(0)
        return total * (images - begin)


def explainer(*, steps: int = 50, baseline: str = "black") -> IntegratedGradients:
    """The method; see `IntegratedGradients` for the settings."""
    return IntegratedGradients(steps, baseline)

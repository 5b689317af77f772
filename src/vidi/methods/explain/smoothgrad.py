"""The mean gradient of noisy copies of the picture (Smilkov et al. 2017, arXiv:1706.03825)."""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.methods.explain._base import Explainer, at_least, slope
from vidi.methods.explain._target import Target


class SmoothGrad(Explainer):
    """
    Args:
        steps: noisy copies.
        noise: standard deviation of the noise, in shares of the picture's range.
        squared: the mean of squared gradients (SmoothGrad-Squared, Hooker et al. 2019, arXiv:1806.10758) instead of the absolute mean.
    """

    name = "smoothgrad"
    gradients = True

    def __init__(self, steps: int = 32, noise: float = 0.15, squared: bool = False):
        at_least(1, steps=steps)
        at_least(0, noise=noise)
        self.steps, self.noise, self.squared = steps, noise, squared

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        own = draw.child("smoothgrad")
        reach = self.noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(-1, 1, 1, 1)
        total = torch.zeros_like(images)
        for _ in range(self.steps):
            found = slope(images + reach * own.normal(*images.shape[1:]), target)
            total += found.square() if self.squared else found
        return (total / self.steps).abs().amax(1)


def explainer(*, steps: int = 32, noise: float = 0.15, squared: bool = False) -> SmoothGrad:
    """The method; see `SmoothGrad` for the settings."""
    return SmoothGrad(steps, noise, squared)

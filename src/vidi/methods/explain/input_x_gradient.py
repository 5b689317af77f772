"""The gradient of each pixel times its value, summed over channels (Shrikumar et al. 2016, arXiv:1605.01713)."""

from __future__ import annotations

from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.methods.explain._base import Explainer, slope
from vidi.methods.explain._target import Target


class InputXGradient(Explainer):
    name = "input_x_gradient"
    gradients = True
    signed = True

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        return (slope(images, target) * images).sum(1)


def explainer() -> InputXGradient:
    """The method."""
    return InputXGradient()

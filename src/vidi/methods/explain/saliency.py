"""How much the target changes with each pixel: the largest absolute gradient of its channels (Simonyan, Vedaldi and Zisserman 2014,
arXiv:1312.6034)."""

from __future__ import annotations

from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.methods.explain._base import Explainer, slope
from vidi.methods.explain._target import Target


class Saliency(Explainer):
    name = "saliency"
    gradients = True

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        return slope(images, target).abs().amax(1)


def explainer() -> Saliency:
    """The method."""
    return Saliency()

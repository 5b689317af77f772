"""What class activation maps by gradients have in common: maps of a layer, weighted, summed over channels and enlarged to the picture."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.methods.explain._base import Explainer
from vidi.methods.explain._layers import default_layer, slopes_at
from vidi.methods.explain._target import Target


class Cam(Explainer):
    """Only what supports the target is kept. Of a layer with several maps (a pyramid) each is enlarged, and all are added.

    Args:
        layer: a stage or module path; None: see `default_layer`.
    """

    gradients = True

    def __init__(self, layer: str | None = None):
        self.layer = layer

    @abstractmethod
    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        """Relevance of the places of a layer, (B, h, w) from its maps and their gradients, (B, C, h, w)."""

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        layer = self.layer or default_layer(net, images, target.others)
        pairs, extent = slopes_at(net, images, target, layer)
        total = torch.zeros(len(images), *extent, device=images.device)
        for maps, slopes in pairs:
            total += enlarged(self.combined(maps.float(), slopes.float()).relu(), extent)
        return total[:, : images.shape[2], : images.shape[3]]


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w) by bilinear interpolation at another (height, width)."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]

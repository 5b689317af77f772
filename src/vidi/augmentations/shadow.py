"""A shadow falls on a part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.shapes import polygon
from vidi.ops.warp import size_of


@dataclass(frozen=True)
class Shadow(Augmentation):
    """A shadow falls on a part: a half-plane, strip or convex polygon with a soft edge darkens what it covers.

    Args:
        p: chance per sample, 0..1.
        strength: largest loss of light within it, 0..1; the smallest is a third of this.
        edges: most edges of the shape, 1..8; one edge is a half-plane.
        softness: largest width of the edge as a share of the shorter side, 0..1.
    """

    p: float = setting(0.5, 0, 1)
    strength: float = setting(0.6, 0, 1)
    edges: int = setting(4, 1, 8)
    softness: float = setting(0.2, 0, 1)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        x, y = draw.uniform(0.1, 0.9), draw.uniform(0.1, 0.9)
        count = draw.integers(self.edges) + 1
        index = torch.arange(self.edges, device=draw.device)
        spread = (index + draw.uniform(-0.3, 0.3, self.edges)) / count[:, None]
        angles = (draw.uniform()[:, None] + spread) * (2 * math.pi)
        distances = draw.uniform(0.05, 0.4, self.edges).masked_fill(index >= count[:, None], math.inf)
        mask = polygon(x, y, angles, distances, draw.uniform(0, 1) * self.softness, size_of(images))
        loss = draw.uniform(self.strength / 3, self.strength)[:, None, None, None]
        return images * (1 - loss * mask)

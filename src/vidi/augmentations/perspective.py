"""A look from another side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.warp import quad_matrix


@dataclass(frozen=True)
class Perspective(Augmentation):
    """A look from another side: each corner of the picture moves on its own.

    Args:
        p: chance per sample, 0..1.
        share: largest move of a corner along each axis, inward or outward, as a share of the side, 0..0.45.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    p: float = setting(0.5, 0, 1)
    share: float = setting(0.15, 0, 0.45)
    fill: Beyond = setting("reflect", 0, 1)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        sides = torch.tensor([size[1], size[0]], dtype=torch.float32, device=draw.device)
        unit = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float32, device=draw.device)
        moved = unit + draw.uniform(-self.share, self.share, 4, 2)
        return quad_matrix((unit * sides).expand_as(moved), moved * sides)

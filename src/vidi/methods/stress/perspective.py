"""Seen from another side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Moved, column, pinned
from vidi.ops.warp import quad_matrix

FAMILY = "geometry"
MEANING = "each corner moved by 4, 8, 12, 16 and 22 % of the side"
REMEDY = ("perspective(share=0.15, p=0.5)",)


@dataclass(frozen=True)
class Perspective(Moved):
    LARGE: ClassVar = column(0.04, 0.08, 0.12, 0.16, 0.22)

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        (share,) = self.values(draw, size)
        sides = torch.tensor([size[1], size[0]], dtype=torch.float32, device=draw.device)
        corners = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float32, device=draw.device)
        signs = draw.chance(0.5, 4, 2).float() * 2 - 1
        moved = corners + signs * share[:, None, None]
        return quad_matrix((corners * sides).expand_as(moved), moved * sides)


def levels() -> tuple[Augmentation, ...]:
    return pinned(Perspective)

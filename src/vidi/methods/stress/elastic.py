"""Bent like rubber, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation
from vidi.core.seeds import Draw
from vidi.methods.stress._levels import Moved, pinned
from vidi.ops.texture import wide_noise

FAMILY = "digital"
MEANING = "bent: severity 1 and 2 widely, 3 to 5 finely; boxes and maps follow the wide part only"
REMEDY = ("elastic(share=0.04, p=0.5)", "shear(p=0.3)")

_CORNERS = ((1.0, 1.0), (1.0, -1.0), (-1.0, -1.0))


@dataclass(frozen=True)
class Elastic(Moved):
    SMALL: ClassVar = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
    LARGE: ClassVar = ((2.1786, 0.7625, 0.1089), (2.1786, 0.0871, 0.2179), (0.0545, 0.0109, 0.0218), (0.0762, 0.0109, 0.0218), (0.1307, 0.0109, 0.0218))

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        h, w = size
        _, _, share = self.values(draw, size)
        side = max(1, min(size) // 3)
        middle = torch.tensor([w / 2, h / 2])
        old = torch.cat([middle + side * torch.tensor(_CORNERS), torch.ones(3, 1)], dim=1).to(draw.device)
        new = old[:, :2] + draw.uniform(-1, 1, 3, 2) * (share * min(size))[:, None, None]
        rows = torch.linalg.solve(old.expand(len(draw), 3, 3), new).transpose(1, 2)
        return torch.cat([rows, torch.tensor([0.0, 0.0, 1.0], device=draw.device).expand(len(draw), 1, 3)], dim=1)

    def displacement(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        reach, sigma, _ = self.values(draw, size)
        child = draw.child("bend")
        uniform = child.uniform(-1, 1, 2, *size) * math.sqrt(3)
        sigma = sigma * min(size)
        thinned = torch.where(sigma > 0.3, 1 / (2 * math.sqrt(math.pi) * sigma.clamp_min(0.3)), torch.ones_like(sigma))
        spread = reach * min(size) / math.sqrt(3) * thinned
        return wide_noise(uniform, sigma) * spread[:, None, None, None]


def levels() -> tuple[Augmentation, ...]:
    return pinned(Elastic)

"""Rotations and shifts: the worst of a grid (Engstrom et al. 2019, arXiv:1712.02779). Needs nothing of the net but its outputs."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Best, look, need


class Spatial(Attack):
    """
    Args:
        degrees: largest rotation either way.
        shift: largest shift either way, as a share of the side.
        turns: rotations of the grid.
        places: shifts of the grid along each side; the paper's grid has 31 rotations and 5 × 5 shifts.
    """

    name = "spatial"
    norms = ()

    def __init__(self, degrees: float = 30.0, shift: float = 0.1, turns: int = 7, places: int = 3):
        at_least(0, degrees=degrees, shift=shift)
        at_least(1, turns=turns, places=places)
        self.degrees, self.shift, self.turns, self.places = degrees, shift, turns, places

    def check(self, goal: Goal, budget: Budget) -> None:
        placed = any(label.placed for label in goal.labels)
        need(self.name, not placed, "these labels say where things are, and would have to move with the picture", "method", self.name, "method=pgd or method=patch")

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        for angle, x, y in self.grid():
            rows = best.standing()
            if not len(rows):
                break
            moved = _moved(images[rows], *(torch.full((len(rows),), value, device=images.device) for value in (angle, x, y)))
            best.offer(rows, moved, *look(net, moved, goal[rows]))
        return best.images

    def grid(self) -> list[tuple[float, float, float]]:
        """(degrees, x, y), shifts as shares of the side, from small to large."""
        turns, places = (_even(limit, count) for limit, count in ((self.degrees, self.turns), (self.shift, self.places)))
        return sorted(itertools.product(turns, places, places), key=lambda move: sum(map(abs, move)))

    def noise(self, images: Tensor, budget: Budget, draw: Draw) -> Tensor:
        """A random member of what the grid spans."""
        if not len(images):
            return images.clone()
        return _moved(images, self.degrees * draw.uniform(-1, 1), self.shift * draw.uniform(-1, 1), self.shift * draw.uniform(-1, 1))


def _even(limit: float, count: int) -> list[float]:
    return torch.linspace(-limit, limit, count).tolist() if count > 1 else [0.0]


def _moved(images: Tensor, degrees: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pictures turned and shifted, black where nothing was."""
    height, width = images.shape[2:]
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    rows = [torch.stack([cos, -sin * height / width, -2 * x], 1), torch.stack([sin * width / height, cos, -2 * y], 1)]
    flow = F.affine_grid(torch.stack(rows, 1).to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, flow, padding_mode="zeros", align_corners=False).clamp(0, 1)


def attack(*, degrees: float = 30.0, shift: float = 0.1, turns: int = 7, places: int = 3) -> Spatial:
    """The method; see `Spatial` for the settings."""
    return Spatial(degrees, shift, turns, places)

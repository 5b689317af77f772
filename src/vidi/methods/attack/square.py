"""Random squares, kept where they help: needs nothing of the net but its outputs (Andriushchenko et al. 2020, arXiv:1912.00049)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Best, Run, look, need

SHARES = ((10, 1), (50, 2), (200, 4), (500, 8), (1000, 16), (2000, 32), (4000, 64), (6000, 128), (8000, 256))
"""From each of so many steps (of 10,000) on, the squares' area is the first one over the second number."""


class Square(Attack):
    """
    Args:
        steps: looks at each picture; the paper has 5,000.
        share: share of the picture's area that the first squares cover.
    """

    name = "square"
    norms = ("linf", "l2")

    def __init__(self, steps: int = 1000, share: float = 0.8):
        at_least(1, steps=steps)
        need(self.name, 0 < share <= 1, "a share of the picture's area", "share", share, "0..1")
        self.steps, self.share = steps, share

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        self.improve(net, images, goal, budget, draw, best)
        return best.images

    def improve(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw, best: Best) -> None:
        """Search on the pictures that stand so far."""
        rows = best.standing()
        if not len(rows):
            return
        moves = _Signs(budget.size) if budget.norm == "linf" else _Bumps(budget.size)
        run, own = Run(images[rows], goal[rows], rows), draw.child("square")[rows]
        current = moves.begin(run.clean, own)
        score, fooled = look(net, current, run.goal)
        best.offer(rows, current, score, fooled)
        for i in range(self.steps):
            left = (~fooled).nonzero().squeeze(1)
            if not len(left):
                return
            if len(left) < len(fooled):
                run, own, current, score = run.part(left), own[left], current[left], score[left]
            side = math.sqrt(self.area(i) * run.clean.shape[2] * run.clean.shape[3])
            trial = moves.step(run.clean, current, side, own)
            new, fooled = look(net, trial, run.goal)
            best.offer(run.rows, trial, new, fooled)
            better = (new > score) & new.isfinite()
            score = torch.where(better, new, score)
            current = torch.where(better.view(-1, 1, 1, 1), trial, current)
            fooled = fooled & better

    def area(self, step: int) -> float:
        """Share of the picture that a square of this step covers."""
        at = step / self.steps * 10000
        return self.share / next((part for last, part in SHARES if at <= last), 512)


class _Signs:
    """Norm linf: vertical stripes first, then squares of one random sign per channel."""

    def __init__(self, size: float):
        self.size = size

    def begin(self, clean: Tensor, draw: Draw) -> Tensor:
        return (clean + self.size * _signs(draw, clean.shape[1], 1, clean.shape[3])).clamp(0, 1)

    def step(self, clean: Tensor, current: Tensor, side: float, draw: Draw) -> Tensor:
        height, width = clean.shape[2:]
        side = min(max(round(side), 1), height, width)
        top, left = draw.integers(height - side + 1), draw.integers(width - side + 1)
        y, x = torch.arange(height, device=clean.device), torch.arange(width, device=clean.device)
        inside = ((y >= top[:, None]) & (y < top[:, None] + side))[:, None, :, None] & ((x >= left[:, None]) & (x < left[:, None] + side))[:, None, None]
        return torch.where(inside, clean + self.size * _signs(draw, clean.shape[1], 1, 1), current).clamp(0, 1)


class _Bumps:
    """Norm l2: bumps of both signs; each step lets one window grow by the change that another gives up."""

    def __init__(self, size: float):
        self.size = size

    def begin(self, clean: Tensor, draw: Draw) -> Tensor:
        count, channels, height, width = clean.shape
        side = max(1, min(height, width) // 5)
        change = torch.zeros_like(clean)
        for top in range((height % side) // 2, height - side + 1, side):
            for left in range((width % side) // 2, width - side + 1, side):
                change[:, :, top : top + side, left : left + side] += _bump(side, draw) * _signs(draw, channels, 1, 1)
        return self._fitted(clean, change)

    def step(self, clean: Tensor, current: Tensor, side: float, draw: Draw) -> Tensor:
        height, width = clean.shape[2:]
        side = max(round(side), 3)
        side = min(side + 1 - side % 2, height, width)
        change = current - clean
        first, second = (_window(draw, clean, side) for _ in range(2))
        both = change.clone()
        both[first], both[second] = 0.0, 0.0
        within = (change.square() - both.square()).sum((2, 3), keepdim=True)
        spare = (self.size**2 - change.square().sum((1, 2, 3), keepdim=True)).clamp_min(0)
        own = change[first]
        fresh = _bump(side, draw) * _signs(draw, clean.shape[1], 1, 1) + own / _length(own)
        both[first] = fresh / _length(fresh) * (spare / clean.shape[1] + within).sqrt()
        return self._fitted(clean, both)

    def _fitted(self, clean: Tensor, change: Tensor) -> Tensor:
        length = change.square().sum((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        return (clean + change * (self.size / length)).clamp(0, 1)


def _window(draw: Draw, clean: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Indices of a random square window of each picture."""
    count, channels, height, width = clean.shape
    offsets = torch.arange(side, device=clean.device)
    y, x = draw.integers(height - side + 1)[:, None] + offsets, draw.integers(width - side + 1)[:, None] + offsets
    rows, planes = torch.arange(count, device=clean.device), torch.arange(channels, device=clean.device)
    return rows[:, None, None, None], planes[None, :, None, None], y[:, None, :, None], x[:, None, None, :]


def _length(change: Tensor) -> Tensor:
    """Of each channel of each picture, (B, C, 1, 1)."""
    return change.square().sum((2, 3), keepdim=True).sqrt().clamp_min(1e-12)


def _bump(side: int, draw: Draw) -> Tensor:
    """(B, 1, side, side) of length 1: two pyramids of opposite sign, side by side or one above the other (section 3.4)."""
    both = torch.cat([_pyramid(side // 2, side), -_pyramid(side - side // 2, side)])
    both = (both / both.square().sum().sqrt()).to(draw.device)
    return torch.where(draw.chance(0.5)[:, None, None], both, both.T)[:, None]


def _pyramid(height: int, width: int) -> Tensor:
    """(height, width) of length 1 that rises from the border to the middle as sums of 1 / (k + 1)²."""
    rows, columns = torch.arange(height)[:, None] - height // 2, torch.arange(width)[None] - width // 2
    far = torch.maximum(rows.abs(), columns.abs())
    bump = sum(((far <= k) / (k + 1) ** 2 for k in range(max(height, width) // 2 + 1)), torch.zeros(height, width))
    return bump / bump.square().sum().sqrt().clamp_min(1e-12)


def _signs(draw: Draw, *shape: int) -> Tensor:
    """Random −1 and 1, (B, *shape)."""
    return draw.chance(0.5, *shape).float() * 2 - 1


def attack(*, steps: int = 1000, share: float = 0.8) -> Square:
    """The method; see `Square` for the settings."""
    return Square(steps, share)

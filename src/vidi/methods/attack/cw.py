"""The smallest change of length l2 that fools, by gradient descent on both and a binary search between them (Carlini and Wagner 2017,
arXiv:1608.04644)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget, at_least
from vidi.methods.attack._goal import Goal

EDGE = 1 - 1e-6
"""Pixels of 0 and 1 are drawn in by so little, where their inverse tangent is finite."""


class CarliniWagner(Attack):
    """
    Args:
        steps: of descent, for each weight.
        search: weights that are tried.
        weight: the first weight of fooling against length.
        confidence: margin that is asked for, in logits.
        lr: Adam's step.
    """

    name = "cw"
    norms = ("l2",)
    classes = True

    def __init__(self, steps: int = 100, search: int = 6, weight: float = 1.0, confidence: float = 0.0, lr: float = 0.01):
        at_least(1, steps=steps, search=search)
        at_least(0, weight=weight, confidence=confidence, lr=lr)
        self.steps, self.rounds, self.weight, self.confidence, self.lr = steps, search, weight, confidence, lr

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        found = images.clone()
        with torch.no_grad():
            rows = (~goal.fooled(net({"image": images, **goal.others}))).nonzero().squeeze(1)
        if len(rows):
            found[rows] = self._smallest(net, images[rows], goal[rows])
        return found

    def _smallest(self, net: nn.Module, clean: Tensor, goal: Goal) -> Tensor:
        bounds = _Weights(torch.full((len(clean),), self.weight, device=clean.device))
        found, least = clean.clone(), torch.full((len(clean),), torch.inf, device=clean.device)
        for _ in range(self.rounds):
            held = torch.zeros_like(least, dtype=torch.bool)
            point = torch.atanh((2 * clean - 1) * EDGE).requires_grad_(True)
            adam = torch.optim.Adam([point], lr=self.lr)
            before = float("inf")
            for step in range(self.steps):
                with torch.enable_grad():
                    images = (point.tanh() / EDGE + 1) / 2
                    length = (images - clean).square().sum((1, 2, 3))
                    margin = goal.margin(net({"image": images, **goal.others}))
                    loss = length + bounds.weight * torch.where(margin.isfinite(), (self.confidence - margin).clamp_min(0), 0 * length)
                    (point.grad,) = torch.autograd.grad(loss.nan_to_num(0.0).sum(), point)
                point.grad.nan_to_num_(0.0, 0.0, 0.0)
                better = (margin > self.confidence) & (length < least)
                held |= margin > self.confidence
                least = torch.where(better, length.detach(), least)
                found[better] = images.detach()[better]
                adam.step()
                if step % max(1, self.steps // 10) == 0:
                    total = float(loss.detach().sum())
                    if total > 0.9999 * before:
                        break
                    before = total
            bounds.narrow(held)
        return found.clamp(0, 1)


@dataclass
class _Weights:
    """A binary search for the smallest weight that still fools, for each picture."""

    weight: Tensor

    def __post_init__(self) -> None:
        self.low, self.high = torch.zeros_like(self.weight), torch.full_like(self.weight, torch.inf)

    def narrow(self, fooled: Tensor) -> None:
        self.high = torch.where(fooled, torch.minimum(self.high, self.weight), self.high)
        self.low = torch.where(fooled, self.low, torch.maximum(self.low, self.weight))
        self.weight = torch.where(self.high.isfinite(), (self.low + self.high) / 2, self.weight * 10)


def attack(*, steps: int = 100, search: int = 6, weight: float = 1.0, confidence: float = 0.0, lr: float = 0.01) -> CarliniWagner:
    """The method; see `CarliniWagner` for the settings."""
    return CarliniWagner(steps, search, weight, confidence, lr)

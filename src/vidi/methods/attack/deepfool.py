"""The shortest way over the nearest border between classes, found by linear steps (Moosavi-Dezfooli et al. 2016, arXiv:1511.04599)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Best, Run, look, need
from vidi.ops.projection import sizes, steepest

DUAL = {"l2": "l2", "linf": "l1"}
"""The norm of a gradient that says how far a border is, by the norm of the way there."""


class DeepFool(Attack):
    """
    Args:
        steps: linear steps at most.
        overshoot: how far beyond the border, as a share of the way.
        candidates: the most probable other classes whose borders are looked at.
    """

    name = "deepfool"
    norms = ("l2", "linf")
    classes = True

    def __init__(self, steps: int = 50, overshoot: float = 0.02, candidates: int = 9):
        at_least(1, steps=steps, candidates=candidates)
        at_least(0, overshoot=overshoot)
        self.steps, self.overshoot, self.candidates = steps, overshoot, candidates

    def check(self, goal: Goal, budget: Budget) -> None:
        super().check(goal, budget)
        need(self.name, goal.exclusive and not goal.toward, "goes to the nearest other of classes that exclude each other", "method", self.name, "method=cw or method=pgd")

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        rows = best.standing()
        run, way = Run(images[rows], goal[rows], rows), torch.zeros_like(images[rows])
        for _ in range(self.steps):
            if not len(run.rows):
                break
            current = (run.clean + (1 + self.overshoot) * way).clamp(0, 1)
            way = way + self._way(net, current, run.goal, budget.norm)
            found = budget.project(run.clean + (1 + self.overshoot) * way, run.clean)
            score, fooled = look(net, found, run.goal)
            best.offer(run.rows, found, score, fooled)
            spent = sizes(way, budget.norm) > budget.size * 1.5
            left = (~fooled & ~spent).nonzero().squeeze(1)
            run, way = run.part(left), way[left]
        return best.images

    def _way(self, net: nn.Module, images: Tensor, goal: Goal, norm: str) -> Tensor:
        """The change, (B, C, H, W), that would lead to the nearest border if the logits were linear."""
        with torch.enable_grad():
            leaf = images.detach().requires_grad_(True)
            logits = goal.logits(net({"image": leaf, **goal.others}))
            classes = goal.classes.clamp_min(0)[:, None]
            own = logits.gather(1, classes).squeeze(1)
            count = min(self.candidates, logits.shape[1] - 1)
            others = logits.detach().scatter(1, classes, -torch.inf).topk(count, 1).indices
            shortest, way = torch.full_like(own, torch.inf).detach(), torch.zeros_like(images)
            for k in range(count):
                gap = logits.gather(1, others[:, k : k + 1]).squeeze(1) - own
                (slope,) = torch.autograd.grad(gap.sum(), leaf, retain_graph=k + 1 < count)
                steepness = sizes(slope, DUAL[norm]).clamp_min(1e-12)
                length = (gap.detach().abs() + 1e-4) / steepness
                nearer = (length < shortest) & length.isfinite()
                shortest = torch.where(nearer, length, shortest)
                step = length.view(-1, 1, 1, 1) * steepest(slope, norm)
                way = torch.where(nearer.view(-1, 1, 1, 1), step, way)
        return way.detach()


def attack(*, steps: int = 50, overshoot: float = 0.02, candidates: int = 9) -> DeepFool:
    """The method; see `DeepFool` for the settings."""
    return DeepFool(steps, overshoot, candidates)

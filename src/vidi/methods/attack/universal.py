"""One change for all pictures of a data set, by ascent of the mean goal (Shafahi et al. 2020, arXiv:1811.11304, after Moosavi-Dezfooli
et al. 2017, arXiv:1610.08401)."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.methods.attack._base import Attack, Batches, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Measure, again, climb, dlr, first, plain
from vidi.ops.projection import project, steepest

CEILING = 4.0
"""A picture's loss counts up to here, so that the ascent turns to those that are not lost yet (Shafahi et al., section 3)."""


class Universal(Attack):
    """
    Args:
        steps: one batch each; the data set is passed over as often as need be.
        step: length of a step, as a share of the budget.
    """

    name = "universal"
    trains = True

    def __init__(self, steps: int = 100, step: float = 0.1):
        at_least(1, steps=steps)
        at_least(0, step=step)
        self.steps, self.step = steps, step
        self.change: Tensor | None = None

    def fit(self, net: nn.Module, batches: Batches, budget: Budget, draw: Draw) -> None:
        with torch.inference_mode(False), held(net):
            self.change = self._learn(net, batches, budget, draw)

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        change = self.change
        if change is None or change.shape[1:] != images.shape[1:]:
            change = self._learn(net, lambda: [(images, goal)], budget, first(draw))
        return images if change is None else (images + change).clamp(0, 1)

    def _learn(self, net: nn.Module, batches: Batches, budget: Budget, draw: Draw) -> Tensor | None:
        change: Tensor | None = None
        for images, goal in islice(again(batches), self.steps):
            if change is None:
                middle = torch.full_like(images[:1], 0.5)
                change = project(budget.start(middle, draw.to(images.device)) - middle, budget.norm, budget.size)
            gradient = climb(net, (images + change).clamp(0, 1), goal, _measure(goal)).gradient
            change = change + self.step * budget.size * steepest(gradient.mean(0, keepdim=True), budget.norm)
            change = project(change, budget.norm, budget.size)
        return change


def _measure(goal: Goal) -> Measure:
    if goal.exclusive:
        return dlr
    return (lambda own, raw: plain(own, raw).clamp_max(CEILING)) if goal.decisive else plain


def attack(*, steps: int = 100, step: float = 0.1) -> Universal:
    """The method; see `Universal` for the settings."""
    return Universal(steps, step)

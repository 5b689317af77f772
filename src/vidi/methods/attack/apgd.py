"""Projected ascent without a step size to choose, by loss or by margin (Croce and Hein 2020, arXiv:2003.01690)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._apgd import apgd
from vidi.methods.attack._base import Attack, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Best, Measure, dlr, need, plain, targeted

LOSSES = ("ce", "dlr", "targeted")


class Apgd(Attack):
    """
    Args:
        steps: of each search.
        loss: ``ce``, the goal itself (for classes the cross-entropy); ``dlr``, the margin by the spread of the logits; ``targeted``, the
            same toward each of the most probable other classes in turn. The last two are for classes that exclude each other.
        restarts: searches from other random places.
        targets: classes that ``targeted`` tries.
        stop: leave pictures alone that are fooled.
    """

    name = "apgd"
    norms = ("linf", "l2")

    def __init__(self, steps: int = 100, loss: str = "ce", restarts: int = 1, targets: int = 9, stop: bool = True):
        at_least(1, steps=steps, restarts=restarts, targets=targets)
        need(self.name, loss in LOSSES, "no such loss", "loss", loss, f"one of {', '.join(LOSSES)}")
        self.steps, self.loss, self.restarts, self.targets, self.stop = steps, loss, restarts, targets, stop

    def check(self, goal: Goal, budget: Budget) -> None:
        super().check(goal, budget)
        need(self.name, self.loss == "ce" or goal.exclusive, "this loss is for classes that exclude each other", "loss", self.loss, "loss=ce")

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        self.improve(net, images, goal, budget, draw, best)
        return best.images

    def improve(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw, best: Best) -> None:
        """Search on the pictures that stand so far (all of them, with ``stop=false``, in the first round)."""
        for restart in range(self.restarts):
            for i, (own, measure) in enumerate(self._searches(net, images, goal)):
                rows = best.standing() if self.stop or restart or i else None
                stream = draw.child(f"{self.loss}{restart}.{i}")
                apgd(net, images, own, budget, stream, best, steps=self.steps, measure=measure, rows=rows, stop=self.stop)

    def _searches(self, net: nn.Module, images: Tensor, goal: Goal) -> Iterator[tuple[Goal, Measure]]:
        with torch.no_grad():
            logits = goal.logits(net({"image": images, **goal.others})) if self.loss == "targeted" and not goal.toward else images.new_zeros(0, 0)
        if logits.shape[1] < 4:
            yield goal, plain if self.loss == "ce" else dlr
            return
        others = logits.scatter(1, goal.classes.clamp_min(0)[:, None], -torch.inf).argsort(1, descending=True)
        yield from ((goal.against(others[:, k]), targeted) for k in range(min(self.targets, logits.shape[1] - 1)))


def attack(*, steps: int = 100, loss: str = "ce", restarts: int = 1, targets: int = 9, stop: bool = True) -> Apgd:
    """The method; see `Apgd` for the settings."""
    return Apgd(steps, loss, restarts, targets, stop)

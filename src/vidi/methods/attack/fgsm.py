"""One step of the full size along the steepest direction (Goodfellow et al. 2015, arXiv:1412.6572), on wish from a random place (Wong
et al. 2020, arXiv:2001.03994)."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Best, beside, climb, look
from vidi.ops.projection import steepest


class Fgsm(Attack):
    """
    Args:
        start: begin at a random place of the budget, with a step 1.25 times as long.
    """

    name = "fgsm"

    def __init__(self, start: bool = False):
        self.start = start

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        rows = best.standing()
        if not len(rows):
            return best.images
        clean, part, own = images[rows], goal[rows], draw[rows]
        begin = budget.start(clean, own) if self.start else beside(clean, part, budget, own)
        gradient = climb(net, begin, part).gradient
        length = budget.size * (1.25 if self.start else 1)
        found = budget.project(begin + length * steepest(gradient, budget.norm, begin), clean)
        best.offer(rows, found, *look(net, found, part))
        return best.images


def attack(*, start: bool = False) -> Fgsm:
    """The method; see `Fgsm` for the setting."""
    return Fgsm(start)

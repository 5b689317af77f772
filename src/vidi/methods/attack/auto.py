"""A parameter-free ensemble in the manner of AutoAttack (Croce and Hein 2020, arXiv:2003.01690): each member works on the pictures that
still stand after those before it. Classes: ascent by loss, ascent toward each of the nearest classes, random squares. Other labels: two
ascents by loss, plain and with its own step size, then squares. In place of the paper's FAB there is DeepFool, where it applies."""

from __future__ import annotations

from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Best, look
from vidi.methods.attack.apgd import Apgd
from vidi.methods.attack.deepfool import DeepFool
from vidi.methods.attack.pgd import Pgd
from vidi.methods.attack.square import Square


class Auto(Attack):
    """
    Args:
        steps: of each ascent.
        queries: looks of the squares; the paper has 5,000.
    """

    name = "auto"

    def __init__(self, steps: int = 100, queries: int = 1000):
        at_least(1, steps=steps)
        at_least(0, queries=queries)
        self.steps, self.queries = steps, queries

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        for member in self.members(goal, budget):
            rows = best.standing()
            if not len(rows):
                break
            found = member.search(net, images[rows], goal[rows], budget, draw[rows])
            best.offer(rows, found, *look(net, found, goal[rows]))
        return best.images

    def members(self, goal: Goal, budget: Budget) -> list[Attack]:
        """The attacks that can work on a goal, in order."""
        own: list[Attack] = [Pgd(self.steps)]
        if goal.exclusive and not goal.toward:
            own = [Apgd(self.steps, "ce"), Apgd(self.steps, "targeted"), DeepFool(), Pgd(self.steps)]
        elif goal.exclusive:
            own = [Apgd(self.steps, "ce"), Apgd(self.steps, "dlr"), Pgd(self.steps)]
        else:
            own = [Apgd(self.steps, "ce"), Pgd(self.steps)]
        own += [Square(self.queries)] if self.queries else []
        return [member for member in own if budget.norm in member.norms]


def attack(*, steps: int = 100, queries: int = 1000) -> Auto:
    """The method; see `Auto` for the settings."""
    return Auto(steps, queries)

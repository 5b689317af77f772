"""The tools of searching attacks: gradients of a goal, the best pictures so far, steps uphill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.methods.attack._base import Attack, Batches, Budget, at_least, parse_size
from vidi.methods.attack._goal import Goal, Raw
from vidi.ops.projection import steepest

Measure = Callable[[Goal, Raw], Tensor]
"""What is to rise, (B,), from a goal and raw outputs."""

SPARE = 3
"""A picture that was fooled in so many steps one after the other is left alone: rounding to 8 bits seldom undoes that."""


def plain(goal: Goal, raw: Raw) -> Tensor:
    """The goal itself."""
    return goal(raw)


def margin(goal: Goal, raw: Raw) -> Tensor:
    """The margin of classes that exclude each other, else the goal itself: there a prediction can be more or less wrong."""
    return goal.margin(raw) if goal.exclusive else goal(raw)


def dlr(goal: Goal, raw: Raw) -> Tensor:
    """The margin over the gap between the best and the third best class, which no scale of the logits changes (Croce and Hein 2020,
    arXiv:2003.01690, section 4.2); with fewer than three classes, or where no exclusive classes decide, `margin`."""
    if not goal.exclusive:
        return margin(goal, raw)
    logits = goal.logits(raw)
    if logits.shape[1] < 3:
        return goal.margin(raw)
    best = logits.topk(3, 1).values
    return goal.margin(raw) / (best[:, 0] - best[:, 2] + 1e-12)


def targeted(goal: Goal, raw: Raw) -> Tensor:
    """The logit of the goal's rivals before that of the true class, over the spread of the best four (ibid., targeted)."""
    logits, classes = goal.logits(raw), goal.classes
    rivals = classes if goal.rivals is None else goal.rivals
    best = logits.topk(4, 1).values
    ahead = logits.gather(1, rivals.clamp_min(0)[:, None]).squeeze(1) - logits.gather(1, classes.clamp_min(0)[:, None]).squeeze(1)
    return torch.where(classes >= 0, ahead / (best[:, 0] - (best[:, 2] + best[:, 3]) / 2 + 1e-12), -torch.inf)


class Climbed(NamedTuple):
    """What is known of pictures after one look.

    Args:
        value: (B,) what was measured.
        gradient: (B, C, H, W) of it with respect to the pictures; zero where it is not finite.
        score: (B,) by which pictures are told apart: `margin`, whatever was measured.
        fooled: (B,) bool, where the goal is reached and nothing is left to do: of classes that exclude each other, else nowhere.
    """

    value: Tensor
    gradient: Tensor
    score: Tensor
    fooled: Tensor


def look(net: nn.Module, images: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
    """Score and fooled as in `Climbed`."""
    with torch.no_grad():
        score = margin(goal, net({"image": images, **goal.others}))
    return score, (score > 0) & goal.exclusive


def climb(net: nn.Module, images: Tensor, goal: Goal, measure: Measure = plain) -> Climbed:
    """A look at pictures with the gradient of a measure."""
    with torch.enable_grad():
        leaf = images.detach().requires_grad_(True)
        raw = net({"image": leaf, **goal.others})
        value = measure(goal, raw)
        finite = torch.where(value.isfinite(), value, torch.zeros_like(value))
        gradient = torch.autograd.grad(finite.sum(), leaf)[0] if finite.requires_grad else torch.zeros_like(leaf)
    with torch.no_grad():
        score = margin(goal, raw) if goal.exclusive else value.detach()
    return Climbed(value.detach(), gradient.nan_to_num(0.0, 0.0, 0.0), score, (score > 0) & goal.exclusive)


class Best:
    """The best pictures so far, at first the clean ones.

    The larger score wins, and one that is not finite never does.

    Args:
        images: (B, C, H, W).
    """

    def __init__(self, net: nn.Module, images: Tensor, goal: Goal):
        self.images = images.clone()
        score, self.fooled = look(net, images, goal)
        self.score = torch.where(score.isfinite(), score, -torch.inf)

    def offer(self, rows: Tensor, images: Tensor, score: Tensor, fooled: Tensor) -> None:
        """Candidates for the pictures at `rows` (K,)."""
        better = (score > self.score[rows]) & score.isfinite()
        chosen = rows[better]
        self.images[chosen], self.score[chosen], self.fooled[chosen] = images[better], score[better], fooled[better]

    def standing(self) -> Tensor:
        """(K,) int64: the pictures that do not reach the goal yet."""
        return (~self.fooled).nonzero().squeeze(1)


@dataclass
class Climber(Attack):
    """Steps along the steepest direction, brought back into the budget after each.

    Args:
        steps: how many.
        step: length of one, in units of the pixel range; None: 2.5 times the budget over the steps.
        restarts: searches, from other random places; a picture that is fooled takes part in no further one.
        start: begin at a random place of the budget, else at the clean picture.
        momentum: share of the summed directions that is kept; None: the gradient alone.
        stop: leave pictures alone that are fooled, where that is all there is (classes that exclude each other).
    """

    steps: int = 40
    step: float | str | None = None
    restarts: int = 1
    start: bool = True
    momentum: float | None = None
    stop: bool = True

    def __post_init__(self) -> None:
        at_least(1, steps=self.steps, restarts=self.restarts)
        at_least(0, momentum=self.momentum)
        self.length = None if self.step is None else parse_size(self.step, "step")

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        best = Best(net, images, goal)
        rows = torch.arange(len(images), device=images.device)
        for restart in range(self.restarts):
            left = best.standing() if self.stop or restart else rows
            if not len(left):
                break
            clean, own = images[left], draw.child(f"start{restart}")[left]
            begin = budget.start(clean, own) if self.start or restart else beside(clean, goal, budget, own)
            self._walk(net, begin, Run(clean, goal[left], left), budget, best)
        return best.images

    def _walk(self, net: nn.Module, images: Tensor, run: Run, budget: Budget, best: Best) -> None:
        length = 2.5 * budget.size / self.steps if self.length is None else self.length
        total, streak = torch.zeros_like(images), torch.zeros(len(images), dtype=torch.int64, device=images.device)
        for _ in range(self.steps):
            _, gradient, score, fooled = climb(net, images, run.goal)
            best.offer(run.rows, images, score, fooled)
            streak = torch.where(fooled, streak + 1, 0)
            if self.stop and (streak >= SPARE).any():
                left = (streak < SPARE).nonzero().squeeze(1)
                run = run.part(left)
                images, gradient, total, streak = images[left], gradient[left], total[left], streak[left]
                if not len(left):
                    return
            if self.momentum is not None:
                total = self.momentum * total + gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-30)
                gradient = total
            images = budget.project(images + length * steepest(gradient, budget.norm, images), run.clean)
        best.offer(run.rows, images, *look(net, images, run.goal))


@dataclass(frozen=True)
class Run:
    """The pictures that a search still works on.

    Args:
        clean: (K, C, H, W).
        goal: theirs.
        rows: (K,) int64, their places in the batch.
    """

    clean: Tensor
    goal: Goal
    rows: Tensor

    def part(self, left: Tensor) -> Run:
        """Those at `left` (indices) only."""
        return replace(self, clean=self.clean[left], goal=self.goal[left], rows=self.rows[left])


def beside(clean: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
    """The clean pictures or, where the goal's gradient vanishes on them, others near by."""
    if not goal.flat:
        return clean
    return replace(budget, size=0.1 * budget.size).start(clean, draw)


def again(batches: Batches) -> Iterator[tuple[Tensor, Goal]]:
    """Passes over a data set without end; none over an empty one."""
    empty = False
    while not empty:
        empty = True
        for pair in batches():
            empty = False
            yield pair


def first(draw: Draw) -> Draw:
    """The stream of the first sample alone, for what is the same for all."""
    return draw[torch.zeros(1, dtype=torch.int64, device=draw.device)]


def need(name: str, ok: bool, rule: str, at: str, value: Any, fix: str) -> None:
    """
    Raises:
        InputError: not ok.
    """
    if not ok:
        raise InputError(f"{name}: {rule}", at=at, value=value, fix=fix)

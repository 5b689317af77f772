"""Projected ascent that finds its own step size (Croce and Hein 2020, arXiv:2003.01690, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Budget
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import SPARE, Best, Measure, Run, climb, plain
from vidi.ops.projection import steepest

MOMENTUM = 0.75
IMPROVED = 0.75
"""Share of steps between two checks that must have gone up, or the step is halved."""


@dataclass
class _State:
    """What is known of each picture that is still worked on; every field has a row for each."""

    images: Tensor
    previous: Tensor
    gradient: Tensor
    value: Tensor
    step: Tensor
    peak: Tensor
    peak_images: Tensor
    peak_gradient: Tensor
    peak_before: Tensor
    rises: Tensor
    halved: Tensor
    streak: Tensor

    def part(self, left: Tensor) -> _State:
        return _State(**{field.name: getattr(self, field.name)[left] for field in fields(self)})


def apgd(
    net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw, best: Best, *, steps: int, measure: Measure = plain, rows: Tensor | None = None,
    stop: bool = True,
) -> None:  # fmt: skip
    """Search from a random place, and offer what is found to `best`.

    Args:
        images: all clean pictures of the batch.
        goal, draw: theirs.
        measure: what is climbed.
        rows: (K,) int64, the pictures that take part; None: all.
        stop: leave pictures alone that are fooled.
    """
    rows = torch.arange(len(images), device=images.device) if rows is None else rows
    if not len(rows):
        return
    run = Run(images[rows], goal[rows], rows)
    state = _begin(net, _far(run.clean, budget, draw[rows]), run, budget, best, measure)
    gap, waited = max(int(0.22 * steps), 1), 0
    for i in range(steps):
        _move(state, run, budget, MOMENTUM if i else 1.0)
        _measure(net, state, run, best, measure)
        if stop and (state.streak >= SPARE).any():
            left = (state.streak < SPARE).nonzero().squeeze(1)
            run, state = run.part(left), state.part(left)
            if not len(left):
                return
        waited += 1
        if waited == gap:
            _halve(state, gap)
            waited, gap = 0, max(gap - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))


def _far(clean: Tensor, budget: Budget, draw: Draw) -> Tensor:
    """A random place at the border of the budget."""
    if budget.norm == "linf":
        noise = draw.uniform(-1, 1, *clean.shape[1:])
        return (clean + budget.size * noise / noise.abs().amax((1, 2, 3), keepdim=True)).clamp(0, 1)
    return budget.noise(clean, draw)


def _begin(net: nn.Module, images: Tensor, run: Run, budget: Budget, best: Best, measure: Measure) -> _State:
    value, gradient, score, fooled = climb(net, images, run.goal, measure)
    best.offer(run.rows, images, score, fooled)
    peak, none = torch.where(value.isfinite(), value, -torch.inf), torch.zeros(len(images), dtype=torch.int64, device=images.device)
    step = torch.full_like(value, 2 * budget.size)
    return _State(
        images, images, gradient, value, step, peak, images.clone(), gradient.clone(), peak.clone(), none, torch.ones_like(fooled), fooled.long()
    )  # fmt: skip


def _move(state: _State, run: Run, budget: Budget, share: float) -> None:
    """One step with momentum: a share of the plain step, and of the last move the rest."""
    ahead = state.images + state.step.view(-1, 1, 1, 1) * steepest(state.gradient, budget.norm)
    ahead = budget.project(ahead, run.clean)
    moved = state.images + share * (ahead - state.images) + (1 - share) * (state.images - state.previous)
    state.previous, state.images = state.images, budget.project(moved, run.clean)


def _measure(net: nn.Module, state: _State, run: Run, best: Best, measure: Measure) -> None:
    value, state.gradient, score, fooled = climb(net, state.images, run.goal, measure)
    best.offer(run.rows, state.images, score, fooled)
    state.rises += value > state.value
    state.value, state.streak = value, torch.where(fooled, state.streak + 1, 0)
    higher = value > state.peak
    spot = higher.view(-1, 1, 1, 1)
    state.peak = torch.where(higher, value, state.peak)
    state.peak_images = torch.where(spot, state.images, state.peak_images)
    state.peak_gradient = torch.where(spot, state.gradient, state.peak_gradient)


def _halve(state: _State, gap: int) -> None:
    """Where too few steps went up, or the best value stood still since the last check without a smaller step: half the step, from the
    best place."""
    stuck = ~state.halved & (state.peak_before >= state.peak)
    halved = (state.rises <= IMPROVED * gap) | stuck
    state.halved, state.peak_before = halved, state.peak.clone()
    state.step = torch.where(halved, state.step / 2, state.step)
    spot = halved.view(-1, 1, 1, 1)
    state.images = torch.where(spot, state.peak_images, state.images)
    state.gradient = torch.where(spot, state.peak_gradient, state.gradient)
    state.rises = torch.zeros_like(state.rises)

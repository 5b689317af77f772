"""What the training methods share: an objective that attacks each batch first, and the training around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.engine.loop import Loop
from vidi.engine.objective import Objective
from vidi.errors import InputError
from vidi.methods.defend._ascent import Ball, Rise, ascend, distance_from, loss_of, near, tells, total
from vidi.methods.defend._awp import Perturbation
from vidi.methods.defend._base import Budget, Work, between
from vidi.methods.defend._size import parse_size
from vidi.methods.defend._training import TrainedDefense

PACE = 2.5
"""Length of all steps together, in budgets, where no length is set."""


class Adversarial(Objective, ABC):
    """An objective over attacked pictures.

    Args:
        budget: of the attacker.
        steps: of the ascent on each batch; 0 trains on clean pictures.
        step: length of one, in units of the pixel range, such as ``2/255``; None: 2.5 budgets over all steps.
        ramp: share of the training over which the budget grows from nothing to its full size.
        awp: weights are moved by this share of their length for each step (`Perturbation`); 0: not at all.

    Raises:
        InputError: a setting that is out of range.
    """

    name = ""

    def __init__(self, budget: Budget, *, steps: int, step: float | str | None = None, ramp: float = 0.0, awp: float = 0.0):
        between(0, 1000, steps=steps)
        between(0, 1, ramp=ramp, awp=awp)
        if int(steps) != steps:
            raise InputError("a whole number", at="steps", value=steps)
        self.budget, self.steps, self.step, self.ramp, self.awp = budget, int(steps), step, ramp, awp
        self.length = None if step is None else parse_size(step, "step")
        self._moved = Perturbation(awp) if awp else None

    @abstractmethod
    def aimed(self, loop: Loop, batch: Batch, draw: Draw) -> Batch:
        """The batch with attacked pictures."""

    def lowered(self, loop: Loop, batch: Batch, attacked: Batch) -> dict[str, Tensor]:
        """Named parts, each (B,); the loss of the attacked pictures unless a method has more."""
        return loop.net.loss(loop.module(attacked.inputs), attacked.labels)  # type: ignore[arg-type]

    def parts(self, loop: Loop, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        attacked = self.aimed(loop, batch, draw)
        if self._moved is not None:
            self._moved.apply(loop.net, lambda: total(self.lowered(loop, batch, attacked)).mean())
        return self.lowered(loop, batch, attacked)

    def after_backward(self, loop: Loop) -> None:
        if self._moved is not None:
            self._moved.restore()

    def ball(self, loop: Loop) -> Ball:
        """The budget of this moment."""
        return Ball(self.budget, min(1.0, loop.share / self.ramp) if self.ramp else 1.0)

    def pace(self, ball: Ball, steps: int) -> float:
        """Length of a step, in units of the pixel range."""
        return PACE * ball.size / max(1, steps) if self.length is None else self.length

    def climb(self, loop: Loop, batch: Batch, draw: Draw, *, steps: int | None = None, beside: bool = False) -> Batch:
        """The batch after an ascent of the loss; where labels are of another kind than predictions, away from what the net says.

        Args:
            steps: the objective's own when None.
            beside: set out from a hair beside the clean pictures, instead of anywhere in the ball.
        """
        steps = self.steps if steps is None else steps
        ball = self.ball(loop)
        if not steps or not ball.size:
            return batch
        clean = batch.inputs["image"]
        rise = loss_of(loop.net, batch.labels) if tells(loop.net) else self.apart(loop, batch)
        begin = near(clean, draw) if beside else ball.start(clean, draw)
        found = ascend(loop.net, loop.module, batch, begin, rise, ball, steps=steps, length=self.pace(ball, steps))
        return Batch({**batch.inputs, "image": found}, batch.labels, batch.frames, batch.indices)

    @staticmethod
    def apart(loop: Loop, batch: Batch) -> Rise:
        """The distance from what the net, in evaluation mode, says of the clean pictures."""
        with held(loop.net), torch.no_grad():
            raw = loop.module(batch.inputs)
        return distance_from(loop.net, raw)

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.name, "norm": self.budget.norm, "budget": self.budget.size, "steps": self.steps, "step": self.step, "ramp": self.ramp,
            "awp": self.awp,
        }  # fmt: skip


class Weighed(Adversarial):
    """An objective with a part that is weighed by `beta`, 0 or more."""

    def __init__(self, budget: Budget, *, beta: float, **settings: Any):
        super().__init__(budget, **settings)
        between(0, 1e6, beta=beta)
        self.beta = beta

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "beta": self.beta}


class AdversarialTraining(TrainedDefense):
    """Trains with an objective over attacked pictures, by the settings of that objective.

    Attributes:
        lowers: the objective.
    """

    lowers: ClassVar[type[Adversarial]]

    def __init__(self, **settings: Any):
        self.settings = settings

    def objective(self, work: Work) -> Adversarial:
        return self.lowers(work.budget, **self.settings)

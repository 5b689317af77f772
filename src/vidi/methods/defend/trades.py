"""TRADES: the loss of clean pictures, and how far outputs move under attack, in a proportion of one's choice (Zhang et al. 2019,
arXiv:1901.08573). How far is told by the outputs' own kinds: for classes it is the paper's divergence of Kullback and Leibler."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.engine.loop import Loop
from vidi.methods.defend._ascent import ascend, near
from vidi.methods.defend._objective import AdversarialTraining, Weighed
from vidi.ops.divergence import divergence


class Traded(Weighed):
    """The net's loss on clean pictures, plus `beta` times the distance between its outputs on clean and on attacked ones (``robust``).

    The attack raises the same distance, from a hair beside the clean pictures, where its gradient vanishes. With beta 0 nothing is attacked.
    """

    name = "trades"

    def aimed(self, loop: Loop, batch: Batch, draw: Draw) -> Batch:
        ball = self.ball(loop)
        if not self.beta or not self.steps or not ball.size:
            return batch
        begin = ball.project(near(batch.inputs["image"], draw), batch.inputs["image"])
        length = self.pace(ball, self.steps)
        found = ascend(loop.net, loop.module, batch, begin, self.apart(loop, batch), ball, steps=self.steps, length=length)
        return Batch({**batch.inputs, "image": found}, batch.labels, batch.frames, batch.indices)

    def lowered(self, loop: Loop, batch: Batch, attacked: Batch) -> dict[str, Tensor]:
        raw = loop.module(batch.inputs)
        parts = dict(loop.net.loss(raw, batch.labels))  # type: ignore[arg-type]
        if attacked is not batch:
            parts["robust"] = self.beta * divergence(raw, loop.module(attacked.inputs), loop.net.kinds)
        return parts


class Trades(AdversarialTraining):
    """See `Traded` and `Adversarial` for the settings."""

    name: ClassVar[str] = "trades"
    lowers = Traded


def defense(*, beta: float = 6.0, steps: int = 10, step: float | str | None = None, ramp: float = 0.0, awp: float = 0.0) -> Trades:
    """The method.

    Args:
        beta: weight of robustness beside the clean loss; the paper has 1 to 6.
        steps, step, ramp, awp: see `vidi.methods.defend._objective.Adversarial`.
    """
    return Trades(beta=beta, steps=steps, step=step, ramp=ramp, awp=awp)

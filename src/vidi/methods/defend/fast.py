"""Fast adversarial training: one step from a random place, a quarter longer than the budget (Wong, Rice and Kolter 2020, arXiv:2001.03994).

Nets learn to fool single steps: robustness to several is then lost within some hundred batches ("catastrophic overfitting"). A guard looks
now and then whether an ascent of several steps has come to find much more than the training's attack does. If so, the attack takes twice as many
steps from then on, which brings robustness back (Li et al. 2020, arXiv:2006.03089).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from vidi.core.batch import Batch
from vidi.core.console import say
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.engine.loop import Loop
from vidi.errors import InputError
from vidi.methods.defend._ascent import Rise, ascend, loss_of, slope, tells
from vidi.methods.defend._base import Budget, between
from vidi.methods.defend._objective import Adversarial, AdversarialTraining
from vidi.methods.defend._watch import Sight, Watch, batches

LONGER = 1.25
"""Length of the single step, in budgets (ibid., section 4)."""

PROBE = 5
MOST_STEPS = 8
LEAST_RATIO = 0.5
"""An attack that raises the loss by less than this share of what `PROBE` steps do is seen through, if it did better before: single steps
find little on a net that was never defended, too."""
PATIENCE = 10
"""So many looks an attack has until it must have done better once."""


class Guarded(Adversarial):
    """The net's loss on pictures attacked in one step, in more once the guard has cried; see `Adversarial` for the other arguments.

    What the guard saw lies in ``guard.jsonl`` of the run folder: an interrupted run forgets what came after its checkpoint, and goes on exactly.

    Args:
        guard: batches between two looks; 0: none.
    """

    name = "fast"

    def __init__(self, budget: Budget, *, guard: int, **settings: Any):
        super().__init__(budget, steps=1, **settings)
        between(0, 1e9, guard=guard)
        if int(guard) != guard:
            raise InputError("a whole number", at="guard", value=guard)
        self.guard = int(guard)
        self._watch: Watch | None = None

    def pace(self, ball: Any, steps: int) -> float:
        return LONGER * ball.size if steps == 1 and self.length is None else super().pace(ball, steps)

    def aimed(self, loop: Loop, batch: Batch, draw: Draw) -> Batch:
        if not self.guard:
            return self.climb(loop, batch, draw)
        watch = self._watch = self._watch or Watch.of(loop)
        attacked = self.climb(loop, batch, draw, steps=watch.steps)
        if batches(loop) % self.guard or attacked is batch:
            return attacked
        ratio, alignment = self.look(loop, batch, attacked, draw.child("guard"))
        own = [sight.ratio for sight in watch.sights if sight.steps == watch.steps]
        seen = ratio < LEAST_RATIO and (max(own, default=0.0) >= LEAST_RATIO or len(own) >= PATIENCE)
        more = seen and watch.steps < MOST_STEPS
        sight = Sight(batches(loop), ratio, alignment, 2 * watch.steps if more else watch.steps)
        watch.add(sight)
        if more:
            say(f"catastrophic overfitting at batch {sight.at}: the training's attack raises the loss {sight.ratio:.2f} times as much as {PROBE} steps do, "
                f"gradients agree by {sight.alignment:.2f}; from here on {sight.steps} steps for each batch")  # fmt: skip
            return self.climb(loop, batch, draw, steps=sight.steps)
        return attacked

    def look(self, loop: Loop, batch: Batch, attacked: Batch, draw: Draw) -> tuple[float, float]:
        """The training's attack beside an ascent of several steps, and how far gradients agree: ratio and alignment of a `Sight`."""
        net, module, ball = loop.net, loop.module, self.ball(loop)
        rise: Rise = loss_of(net, batch.labels) if tells(net) else self.apart(loop, batch)
        clean = batch.inputs["image"]
        begin = ball.start(clean, draw)
        probe = ascend(net, module, batch, begin, rise, ball, steps=PROBE, length=super().pace(ball, PROBE))
        with held(net):
            plain, here = slope(module, batch, clean, rise)
            _, there = slope(module, batch, begin, rise)
            with torch.no_grad():
                now, most = (rise(module({**batch.inputs, "image": images})) for images in (attacked.inputs["image"], probe))
        gained, possible = float((now - plain).mean()), float((most - plain).mean())
        ratio = gained / possible if possible > 0 else 1.0
        return ratio, float(F.cosine_similarity(here.flatten(1), there.flatten(1)).mean())

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "guard": self.guard}


class Fast(AdversarialTraining):
    """See `Guarded` and `Adversarial` for the settings."""

    name: ClassVar[str] = "fast"
    lowers = Guarded


def defense(*, step: float | str | None = None, ramp: float = 0.0, awp: float = 0.0, guard: int = 50) -> Fast:
    """The method.

    Args:
        guard: batches between two looks of the guard against catastrophic overfitting; 0: none.
        step, ramp, awp: see `vidi.methods.defend._objective.Adversarial`.
    """
    return Fast(step=step, ramp=ramp, awp=awp, guard=guard)

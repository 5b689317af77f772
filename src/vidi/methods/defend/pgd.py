"""Adversarial training: every batch is attacked by projected gradient ascent, and its loss is lowered (Madry et al. 2018, arXiv:1706.06083)."""

from __future__ import annotations

from typing import ClassVar

from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.engine.loop import Loop
from vidi.methods.defend._objective import Adversarial, AdversarialTraining


class Attacked(Adversarial):
    """The net's loss on attacked pictures; see `Adversarial` for the arguments."""

    name = "pgd"

    def aimed(self, loop: Loop, batch: Batch, draw: Draw) -> Batch:
        return self.climb(loop, batch, draw)


class Pgd(AdversarialTraining):
    """See `Adversarial` for the settings."""

    name: ClassVar[str] = "pgd"
    lowers = Attacked


def defense(*, steps: int = 7, step: float | str | None = None, ramp: float = 0.0, awp: float = 0.0) -> Pgd:
    """The method; see `vidi.methods.defend._objective.Adversarial` for the settings."""
    return Pgd(steps=steps, step=step, ramp=ramp, awp=awp)

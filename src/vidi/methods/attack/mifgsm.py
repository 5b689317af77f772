"""Iterated steps with momentum, which carry over better to other nets (Dong et al. 2018, arXiv:1710.06081)."""

from __future__ import annotations

from vidi.methods.attack._search import Climber


class MiFgsm(Climber):
    name = "mifgsm"


def attack(*, steps: int = 10, step: float | str | None = None, decay: float = 1.0, restarts: int = 1, stop: bool = True) -> MiFgsm:
    """The method.

    Args:
        decay: share of the summed directions that is kept, the paper's µ.
        steps, step, restarts, stop: see `vidi.methods.attack._search.Climber`; the paper's step is the budget over the steps.
    """
    return MiFgsm(steps=steps, step=step, restarts=restarts, start=False, momentum=decay, stop=stop)

"""Projected gradient ascent with random starts (Madry et al. 2018, arXiv:1706.06083); in norm l1 with sparse steps (Tramèr and Boneh
2019, arXiv:1904.13000)."""

from __future__ import annotations

from vidi.methods.attack._search import Climber


class Pgd(Climber):
    name = "pgd"


def attack(*, steps: int = 40, step: float | str | None = None, restarts: int = 1, start: bool = True, stop: bool = True) -> Pgd:
    """The method; see `vidi.methods.attack._search.Climber` for the settings."""
    return Pgd(steps=steps, step=step, restarts=restarts, start=start, stop=stop)

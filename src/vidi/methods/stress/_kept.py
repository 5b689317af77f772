"""How much of the clean score is kept: by cell, by stress, by family and in all, with the same resamples of the pictures throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vidi.engine.stress import Outcome
from vidi.metrics._bootstrap import percentiles

LEVEL = 0.95
APART = frozenset({"adversarial"})
"""Families that are no part of the whole: the worst that can be found says nothing about what happens by chance."""


@dataclass(slots=True)
class Kept:
    """A share that is kept, (1 + R,): the first is that of all pictures, the others those of the resamples; NaN where undefined."""

    values: np.ndarray

    @property
    def value(self) -> float | None:
        return float(self.values[0]) if np.isfinite(self.values[0]) else None

    @property
    def interval(self) -> tuple[float, float] | None:
        found = percentiles(self.values[1:], LEVEL) if self.value is not None and len(self.values) > 2 else None
        return found


@dataclass(slots=True)
class Shares:
    """Everything that is kept.

    Args:
        cells: one for each outcome, in their order.
        stresses, families: by name, in the outcomes' order: means over the severities, and over the stresses.
        whole: the mean over the families but those of `APART`.
        scores: the mean score under stress, in the task's units, over families as `whole`.
    """

    cells: list[Kept]
    stresses: dict[str, Kept] = field(default_factory=dict)
    families: dict[str, Kept] = field(default_factory=dict)
    whole: Kept = field(default_factory=lambda: Kept(np.array([np.nan])))
    scores: Kept = field(default_factory=lambda: Kept(np.array([np.nan])))


def shares(clean: Outcome, outcomes: Sequence[Outcome], higher_is_better: bool) -> Shares:
    """What is kept of the clean score.

    Where more is better that is score / clean (below 0 counts as nothing); where less is better, clean / score.
    """
    base, scores = _series(clean), [_series(outcome) for outcome in outcomes]
    found = Shares([Kept(_ratio(values, base) if higher_is_better else _ratio(base, values, 1.0)) for values in scores])
    families = {outcome.cell.stress: outcome.cell.family for outcome in outcomes}
    means: dict[str, np.ndarray] = {}
    for stress in families:
        places = [i for i, outcome in enumerate(outcomes) if outcome.cell.stress == stress]
        found.stresses[stress] = Kept(_mean([found.cells[i].values for i in places]))
        means[stress] = _mean([scores[i] for i in places])
    for family in dict.fromkeys(families.values()):
        members = [stress for stress, own in families.items() if own == family]
        found.families[family] = Kept(_mean([found.stresses[stress].values for stress in members]))
        means[family] = _mean([means[stress] for stress in members])
    counted = [family for family in found.families if family not in APART] or list(found.families)
    if counted:
        found.whole = Kept(_mean([found.families[family].values for family in counted]))
        found.scores = Kept(_mean([means[family] for family in counted]))
    return found


def _series(outcome: Outcome) -> np.ndarray:
    return np.concatenate([[np.nan if outcome.score is None else outcome.score], outcome.resamples])


def _ratio(upper: np.ndarray, lower: np.ndarray, at_zero: float = np.nan) -> np.ndarray:
    """upper / lower, nothing below 0; `at_zero` where both are 0, and NaN where only the lower is."""
    out = np.full(upper.shape, np.nan)
    np.divide(np.maximum(upper, 0), lower, out=out, where=lower > 0)
    out[(lower == 0) & (upper == 0)] = at_zero
    return out


def _mean(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of rows, without NaN; NaN where all are."""
    stacked = np.stack(rows)
    known = np.isfinite(stacked)
    total, count = np.where(known, stacked, 0).sum(0), known.sum(0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)

"""How much average precision each kind of error costs (TIDE, Bolya et al. 2020, arXiv:2008.08050), by any measure of overlap.

Each number is the rise of AP50 if an oracle put all errors of one kind right. Two things differ from the published program: classes
without anything to find are left out of the mean, as in COCO's, and a class in which an oracle leaves nothing to find counts as 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import Estimator, mean_defined, point, rounded
from vidi.metrics._matching import Things, sums_by_picture, things_of, wanted_things
from vidi.metrics._measures import BOXES, Measure
from vidi.metrics._precision import weighted_precision
from vidi.metrics._tide import BACKGROUND, RIGHT, SPARED, Errors, errors_of

MEANINGS = {
    "cls": "wrong class, right place", "loc": "right class, wrong place", "both": "wrong class and place", "dup": "found twice",
    "bkg": "nothing there", "miss": "not found at all", "fp": "all wrong predictions", "fn": "all things not found",
}  # fmt: skip


class _Ranking:
    """Predictions and things to find after an oracle, by class."""

    def __init__(self, things: Things, kept: np.ndarray, classes: np.ndarray, hit: np.ndarray, wanted: np.ndarray):
        chosen = np.flatnonzero(kept)
        chosen = chosen[np.lexsort((-things.predicted.scores[chosen], classes[chosen]))]
        parts = np.split(chosen, np.searchsorted(classes[chosen], np.arange(1, things.classes)))
        rows = things.predicted.rows
        self.parts = [(rows[part], hit[part]) for part in parts] if things.classes else []
        self.wanted = [things.truth.rows[wanted & (things.truth.classes == c)] for c in range(things.classes)]

    def precision(self, weights: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
        """AP50 of each class, (C, R).

        Args:
            weights: (R, N).
            first: (C, R) AP50 before the oracle; classes that are NaN there stay so.
        """
        found = np.full((len(self.parts), len(weights)), np.nan)
        for c, ((rows, hit), wanted) in enumerate(zip(self.parts, self.wanted)):
            found[c] = weighted_precision(rows, hit, sums_by_picture(wanted, weights), weights)
        if first is None:
            return found
        return np.where(np.isnan(first), np.nan, np.where(np.isnan(found), 1.0, found))


def _oracles(things: Things, errors: Errors) -> tuple[_Ranking, dict[str, _Ranking]]:
    """The ranking as it is, and after each oracle."""
    hit, counted, wanted = errors.of(RIGHT), ~errors.of(SPARED), ~things.truth.crowd
    classes, true = things.predicted.classes, np.append(things.truth.classes, 0)[errors.target]
    found = {}
    for name in ("cls", "loc", "both", "dup", "bkg"):
        own = errors.of(name)
        mended = own & errors.mended
        found[name] = _Ranking(
            things, counted & (~own | mended), np.where(mended, true, classes), hit | mended, wanted
        )
    found["miss"] = _Ranking(things, counted, classes, hit, wanted & ~errors.missed)
    found["fp"] = _Ranking(things, hit, classes, hit, wanted)
    found["fn"] = _Ranking(things, counted, classes, hit, wanted & errors.found)
    return _Ranking(things, counted, classes, hit, wanted), found


def _rises(base: _Ranking, oracles: Mapping[str, _Ranking], weights: np.ndarray) -> dict[str, np.ndarray]:
    """What each oracle adds to the mean AP50, (R,) by name."""
    first = base.precision(weights)
    start = mean_defined(first.T)
    return {name: mean_defined(oracle.precision(weights, first).T) - start for name, oracle in oracles.items()}


@dataclass(frozen=True, slots=True)
class ErrorCosts:
    """A metric: what each kind of error costs, by one measure."""

    measure: Measure

    @property
    def prefix(self) -> str:
        return "tide" if self.measure is BOXES else f"{self.measure.name}_tide"

    @property
    def higher_is_better(self) -> dict[str, bool]:
        return {f"{self.prefix}_{name}": False for name in MEANINGS}

    def _things(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> Things:
        return things_of(truth, predicted, space, settings, self.measure, floor=BACKGROUND, across=True)

    def estimator(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> Estimator:
        things = self._things(truth, predicted, space, settings)
        base, oracles = _oracles(things, errors_of(things))

        return lambda weights: {f"{self.prefix}_{name}": rise for name, rise in _rises(base, oracles, weights).items()}

    def numbers(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> dict[str, float | None]:
        """Rise of AP50 (in 0..1) by an oracle for one kind of error.

        ``tide_cls`` class, ``tide_loc`` place, ``tide_both`` both, ``tide_dup`` duplicates, ``tide_bkg`` background, ``tide_miss`` things
        not found; ``tide_fp`` all wrong predictions, ``tide_fn`` all things not found. They do not add up to 1 − AP50.

        Args:
            truth: N labels; crowds need not be found, and predictions inside them do not count.
            predicted: N labels.
        """
        return point(self.estimator(truth, predicted, space, settings), len(truth))

    def counts(self, truth: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
        """How many things there are to find."""
        return dict.fromkeys(self.higher_is_better, int(wanted_things(truth).sum()))

    def figures(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The cost of each kind of error as bars, and the table with how many there are."""
        things = self._things(truth, predicted, space, settings)
        if things.truth.crowd.all():
            return []
        errors = errors_of(things)
        rise = _rises(*_oracles(things, errors), np.ones((1, len(truth))))
        wrong = {name: int(errors.of(name).sum()) for name in list(rise)[:5]}
        number = wrong | {
            "miss": int(errors.missed.sum()), "fp": sum(wrong.values()),
            "fn": int((~errors.found & ~things.truth.crowd).sum()),
        }  # fmt: skip
        rows: list[list[Any]] = [[f"{self.prefix}_{name}", MEANINGS[name], number[name], *rounded(value)] for name, value in rise.items()]
        parts = {"labels": [row[1] for row in rows], "values": [row[3] for row in rows], "low": [], "high": []}
        bars = {"kind": "bars", "title": f"Rise of AP50 of {self.measure.of} if an error were put right", **parts}
        note = "Predictions of every score count; most background errors have low scores and cost little."
        columns = ["error", "meaning", "n", "rise of AP50"]
        return [bars, {"kind": "table", "title": f"Kinds of errors of {self.measure.of} (TIDE)", "columns": columns, "rows": rows, "note": note}]

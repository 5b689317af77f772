"""What a tracker weighs in one frame: every pair of a track and a detection, listened to while it decides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from vidi.methods.track._base import Tracker
from vidi.methods.track._listen import Pairing, Recall
from vidi.methods.track._seen import Seen
from vidi.ops.boxes import iou_matrix

NEAREST = 6
"""Most remembered looks that are told of."""


@dataclass(slots=True)
class Weighed:
    """One pair in one stage.

    Args:
        stage: of the association.
        row, column: the track and the detection.
        iou: overlap of the box where the track was expected with the detection's.
        motion, limit: the pair's cost by its boxes, and what that had to stay below.
        look: distance of the looks, 0 the same, 0.5 as far apart as things here are; None: unknown.
        doubt: what stands for that distance in the decision: by default the probability that the looks are not one thing's.
        bonus: what speaks for the pair besides, such as momentum.
        cost: after looks and bonus; None: refused.
        less: by how much the cost had to be lower for the pair to be made; None: chosen or refused.
        outcome: chosen, or why not, in words.
    """

    stage: str
    row: int
    column: int
    iou: float
    motion: float | None = None
    limit: float | None = None
    look: float | None = None
    doubt: float | None = None
    bonus: float | None = None
    cost: float | None = None
    less: float | None = None
    outcome: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items() if key not in ("row", "column")}


@dataclass(frozen=True, slots=True)
class _Stage:
    """Costs (K, L) of a stage's tracks and detections, `top` where refused."""

    rows: np.ndarray
    columns: np.ndarray
    costs: np.ndarray


class Record:
    """Listens to one `Tracker.update`, which decides as it would alone; a `Listener`.

    Attributes:
        seen: the detections; None where there were none, or no tracks.
        tracks: columns of the tracks as they were before: ``id``, ``missed``, ``hits``, ``class``, ``learned``, ``vector`` and expected ``boxes``.
        pairs: what was weighed.
        chosen: track and stage of each detection that was taken.
        numbers: (M,) the numbers that the detections bear now, 0 for none.
    """

    def __init__(self, tracker: Tracker):
        self._tracker = tracker
        self.seen: Seen | None = None
        self.tracks: Mapping[str, np.ndarray] = {}
        self.pairs: list[Weighed] = []
        self.chosen: dict[int, tuple[int, str]] = {}
        self.numbers = np.zeros(0, np.int64)
        self._stages: dict[str, _Stage] = {}
        self._recall: Recall | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Until its end, what the tracker decides is noted."""
        self._tracker.listener = self
        try:
            yield
        finally:
            self._tracker.listener = None

    def expected(self, seen: Seen, tracks: Mapping[str, np.ndarray]) -> None:
        self.seen, self.tracks = seen, tracks

    def paired(self, told: Pairing) -> None:
        self._stages[told.stage] = _Stage(told.rows, told.columns, np.where(told.cost < told.top, told.cost, told.top))
        made = {tuple(place) for place in told.made.tolist()}
        for i, j in np.argwhere((told.motion < told.gate) | (told.overlap > 0)).tolist():
            pair = Weighed(told.stage, int(told.rows[i]), int(told.columns[j]), float(told.overlap[i, j]), float(told.motion[i, j]), float(told.gate))
            pair.cost = float(told.cost[i, j]) if told.cost[i, j] < told.top else None
            pair.bonus = None if told.bonus is None else float(told.bonus[i, j])
            if told.looks is not None and told.doubt is not None and np.isfinite(told.looks[i, j]):
                pair.look, pair.doubt = float(told.looks[i, j]), float(told.doubt[i, j])
            pair.outcome = "chosen" if (i, j) in made else self._refusal(pair)
            self.pairs.append(pair)
        self.chosen |= {int(told.columns[j]): (int(told.rows[i]), told.stage) for i, j in made}

    def recalled(self, told: Recall) -> None:
        self._recall = told

    def numbered(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def _refusal(self, pair: Weighed) -> str:
        """Why a pair was not made."""
        looks = self._tracker.appearance
        if pair.cost is not None:
            return "dearer"
        if pair.motion is not None and pair.limit is not None and pair.motion >= pair.limit:
            return f"refused: motion {pair.motion:.2f}, limit {pair.limit:.2f}"
        if pair.doubt is not None and looks is not None and pair.doubt >= looks.veto:
            return f"refused: doubt {pair.doubt:.5f}, limit {looks.veto:g}"
        return "refused: cost above the limit"

    # -- afterwards -----------------------------------------------------------------------------------------------

    def column_of(self, track: int) -> int | None:
        """The detection that has this number now."""
        found = np.flatnonzero(self.numbers == track)
        return int(found[0]) if len(found) else None

    def about(self, row: int | None, column: int) -> list[Weighed]:
        """Everything that was weighed for a detection and a track, with what else overlaps but was not weighed, the chosen first."""
        found = [pair for pair in self.pairs if pair.column == column or pair.row == row]
        for pair in found:
            pair.less = self._less(pair)
        asked = {(pair.row, pair.column) for pair in found}
        if self.seen is not None and len(self.tracks["id"]):
            overlap = iou_matrix(self.tracks["boxes"], self.seen.boxes)
            for r, c in np.argwhere(overlap > 0).tolist():
                if (r == row or c == column) and (r, c) not in asked:
                    found.append(Weighed("", r, c, float(overlap[r, c]), outcome=self._passed(r, c)))
        return sorted(found, key=lambda pair: (pair.outcome != "chosen", pair.cost is None, pair.cost or 0, pair.stage == "", -pair.iou))

    def _less(self, pair: Weighed) -> float | None:
        """By how much a pair was too dear: the least total with it, less the least total."""
        if pair.cost is None or pair.outcome == "chosen":
            return None
        stage = self._stages[pair.stage]
        i, j = (int(np.flatnonzero(places == place)[0]) for places, place in ((stage.rows, pair.row), (stage.columns, pair.column)))
        rest = np.delete(np.delete(stage.costs, i, 0), j, 1)
        return max(0.0, pair.cost + _least(rest) - _least(stage.costs))

    def _passed(self, row: int, column: int) -> str:
        """Why a pair that overlaps was weighed in no stage."""
        if self._tracker.life.class_aware and self.seen is not None and self.tracks["class"][row] != self.seen.classes[column]:
            return "refused: another class"
        if any(owner == row for owner, _ in self.chosen.values()):
            return "had its box in an earlier stage"
        if column in self.chosen:
            return "the box was taken in an earlier stage"
        return "not weighed in any stage: score too small, or the track not seen of late"

    def remembered(self, track: int) -> list[dict[str, Any]]:
        """Tracks that are not followed now, whose looks were compared with this one's, the nearest first."""
        told, looks, column = self._recall, self._tracker.appearance, self.column_of(track)
        if told is None or looks is None or column is None or column not in told.columns:
            return []
        k = int(np.flatnonzero(told.columns == column)[0])
        return [
            {"track": int(told.ids[i]), "unseen": int(told.unseen[i]), "look": round(float(told.looks[k, i]), 4), "doubt": round(float(told.doubt[k, i]), 4),
             "limit": looks.recall, "outcome": "chosen" if told.ids[i] == track else "refused: seen at the same time" if told.together[k, i]
             else "refused: another class" if told.foreign[k, i]
             else f"refused: doubt {told.doubt[k, i]:.2f}, limit {looks.recall:.2f}" if told.doubt[k, i] > looks.recall else "another was nearer"}
            for i in np.argsort(told.looks[k], kind="stable")[:NEAREST]
        ]  # fmt: skip


def _least(costs: np.ndarray) -> float:
    """The least total of (K, L) costs."""
    return float(costs[linear_sum_assignment(costs)].sum()) if costs.size else 0.0

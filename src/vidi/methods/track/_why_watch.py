"""What a tracker weighs in one frame: every pair of a track and a detection, listened to while it decides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from vidi.methods.track._base import Seen, Tracker
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
    """Listens to one `Tracker.update`, which decides as it would alone.

    Attributes:
        seen: the detections; None where there were none, or no tracks.
        tracks: columns of the tracks as they were before: ``id``, ``missed``, ``hits``, ``class``, ``learned``, ``vector`` and expected ``boxes``.
        pairs: what was weighed.
        chosen: track and stage of each detection that was taken.
    """

    def __init__(self, tracker: Tracker):
        self._tracker = tracker
        self._associated, self._paired, self._recognized = tracker._associate, tracker._pair, tracker._gallery.recognize
        self.seen: Seen | None = None
        self.tracks: dict[str, np.ndarray] = {}
        self.pairs: list[Weighed] = []
        self.chosen: dict[int, tuple[int, str]] = {}
        self._stages: dict[str, _Stage] = {}
        self._known: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Until its end, what the tracker asks itself is noted."""
        own, gallery = vars(self._tracker), vars(self._tracker._gallery)
        own["_associate"], own["_pair"], gallery["recognize"] = self._associate, self._pair, self._recognize
        try:
            yield
        finally:
            del own["_associate"], own["_pair"], gallery["recognize"]

    def _associate(self, seen: Seen) -> None:
        table = self._tracker._table
        self.seen = seen
        self.tracks = {name: table[name].copy() for name in ("id", "missed", "hits", "class", "learned", "vector")}
        self.tracks["boxes"] = self._tracker.motion.boxes(table["mean"])
        self._associated(seen)

    def _pair(self, stage: str, rows: np.ndarray, columns: np.ndarray, cost: np.ndarray, gate: float, overlap: np.ndarray,
              apart: np.ndarray | None = None, bonus: np.ndarray | None = None, **more: Any) -> None:  # fmt: skip
        tracker, block = self._tracker, (rows[:, None], columns)
        near = (cost[block] < gate) | (overlap[block] > 0) if len(rows) and len(columns) else np.zeros((0, 0), bool)
        looks = tracker.appearance if apart is not None else None
        top = gate + (looks.weight if looks else 0) + (0.5 if bonus is not None else 0)
        costs, found = np.full((len(rows), len(columns)), top), []
        for i, j in np.argwhere(near).tolist():
            row, column = int(rows[i]), int(columns[j])
            price = self._alone(stage, row, column, cost, gate, overlap, apart, bonus, more)
            costs[i, j] = top if price is None else price
            pair = Weighed(stage, row, column, float(overlap[row, column]), float(cost[row, column]), float(gate), cost=price)
            pair.bonus = None if bonus is None else float(bonus[row, column])
            if looks is not None and apart is not None and np.isfinite(apart[row, column]):
                far = apart[row : row + 1, column]
                pair.look = float(far[0] * tracker._gallery.stretch)
                pair.doubt = float(tracker._gallery.passing.doubt(far)[0] if looks.adapt else far[0])
            found.append(pair)
        before = tracker._owner.copy()
        self._paired(stage, rows, columns, cost, gate, overlap, apart, bonus, **more)
        taken = np.flatnonzero((tracker._owner >= 0) & (before < 0))
        self.chosen |= {int(column): (int(tracker._owner[column]), stage) for column in taken}
        self._stages[stage] = _Stage(rows, columns, costs)
        for pair in found:
            pair.outcome = "chosen" if self.chosen.get(pair.column) == (pair.row, stage) else self._refusal(pair)
        self.pairs += found

    def _alone(self, stage: str, row: int, column: int, cost: np.ndarray, gate: float, overlap: np.ndarray, apart: np.ndarray | None,
               bonus: np.ndarray | None, more: dict[str, Any]) -> float | None:  # fmt: skip
        """The cost of a pair as the tracker itself counts it, were there no others; None: refused."""
        tracker = self._tracker
        kept = tracker._owner, tracker._taken, tracker._decisions
        tracker._owner, tracker._taken, tracker._decisions = kept[0].copy(), kept[1].copy(), []
        try:
            self._paired(stage, np.array([row]), np.array([column]), cost, gate, overlap, apart, bonus, **more)
            return float(tracker._decisions[0][4][0]) if tracker._decisions else None
        finally:
            tracker._owner, tracker._taken, tracker._decisions = kept

    def _refusal(self, pair: Weighed) -> str:
        """Why a pair was not made."""
        looks = self._tracker.appearance
        if pair.cost is not None:
            return "dearer"
        if pair.motion is not None and pair.limit is not None and pair.motion >= pair.limit:
            return f"refused: motion {pair.motion:.2f}, limit {pair.limit:.2f}"
        if pair.doubt is not None and looks is not None and pair.doubt >= looks.veto:
            return f"refused: doubt {pair.doubt:.2f}, limit {looks.veto:.2f}"
        return "refused: cost above the limit"

    def _recognize(self, vectors: np.ndarray, classes: np.ndarray, births: np.ndarray, lost: Any, *more: Any, **others: Any) -> Any:
        gallery = self._tracker._gallery
        looks = lost[1] if gallery.vectors is None else np.concatenate([gallery.vectors, lost[1]])
        self._known.append((vectors.copy(), births.copy(), np.concatenate([gallery.ids, lost[0]]), looks.copy(), np.concatenate([gallery.last, lost[3]])))
        return self._recognized(vectors, classes, births, lost, *more, **others)

    # -- afterwards -----------------------------------------------------------------------------------------------

    def column_of(self, track: int) -> int | None:
        """The detection that has this number now."""
        found = np.flatnonzero(self._tracker._told[0] == track)
        return int(found[0]) if len(found) else None

    def numbers(self) -> np.ndarray:
        """(M,) the numbers that the detections bear now, 0 for none."""
        return self._tracker._told[0]

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
        tracker, gallery = self._tracker, self._tracker._gallery
        own = tracker._table["vector"][np.flatnonzero(tracker._table["id"] == track)[:1]]
        for vectors, births, ids, looks, last in self._known if len(own) else ():
            place = np.flatnonzero((vectors == own).all(1))
            if not len(place) or not len(ids) or tracker.appearance is None:
                continue
            far = (1 - looks @ own[0]) / 2
            together = births[place[0]] <= last
            doubt = gallery.lasting.doubt(far, max(1, int((~together).sum()))) if tracker.appearance.adapt else far
            limit = tracker.appearance.recall
            return [
                {"track": int(ids[i]), "unseen": int(tracker.clock - last[i]), "look": round(float(far[i] * gallery.stretch), 4), "doubt": round(float(doubt[i]), 4),
                 "limit": limit, "outcome": "chosen" if ids[i] == track else "refused: seen at the same time" if together[i]
                 else f"refused: doubt {doubt[i]:.2f}, limit {limit:.2f}" if doubt[i] > limit else "another was nearer"}
                for i in np.argsort(far, kind="stable")[:NEAREST]
            ]  # fmt: skip
        return []


def _least(costs: np.ndarray) -> float:
    """The least total of (K, L) costs."""
    return float(costs[linear_sum_assignment(costs)].sum()) if costs.size else 0.0

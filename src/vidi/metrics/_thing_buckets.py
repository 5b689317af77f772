"""How well small, large, clear and occluded things are found, by any measure of overlap.

Occluded is a thing of whose box more than 10 % lies under other true boxes of the picture, or one that the frame cuts. Boxes do not
tell which of two things stands in front, so both count. The frame is known where ``settings["sizes"]`` has each picture's
(height, width); a thing that comes within a pixel of it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import Estimator, mean_defined, plain, point, ratio
from vidi.metrics._matching import AREAS, FOUND, Things, match, sums_by_picture, things_of, wanted_things
from vidi.metrics._measures import Measure
from vidi.metrics._precision import weighted_precision
from vidi.ops.box_overlap import covered_share

BANDS = {"0–10 % covered": (-1.0, 0.1), "10–50 % covered": (0.1, 0.5), "over 50 % covered": (0.5, 1.0)}
"""Share of the box under other boxes; the upper end is included."""
TOUCH = 1.0


def covered(truth: Sequence[Detections]) -> np.ndarray:
    """The share of each true thing under other true things of its picture that are no crowds, all pictures after another."""
    parts = [covered_share(label.boxes, None if label.crowd is None else ~label.crowd) for label in truth]
    return np.concatenate([np.zeros(0), *parts])


def cut_by_frame(truth: Sequence[Detections], sizes: Sequence[tuple[int, int]] | None) -> np.ndarray | None:
    """Which true things come within a pixel of the frame, all pictures after another; None without sizes (height, width)."""
    if sizes is None:
        return None
    parts: list[np.ndarray] = [np.zeros(0, bool)]
    for label, (height, width) in zip(truth, sizes):
        low, high = label.boxes[:, :2] < TOUCH, label.boxes[:, 2:] > np.array([width, height]) - TOUCH
        parts.append(np.asarray(low.any(1) | high.any(1)))
    return np.concatenate(parts)


def _occluded(truth: Sequence[Detections], settings: Mapping[str, Any]) -> np.ndarray:
    cut = cut_by_frame(truth, settings.get("sizes"))
    hidden = covered(truth) > BANDS["0–10 % covered"][1]
    return hidden if cut is None else hidden | cut


def _found(things: Things) -> np.ndarray:
    """(N,) bool: the true things that a prediction of their class overlaps with IoU 0.5 or more, one to one."""
    found = np.zeros(len(things.truth) + 1, bool)
    found[match(things, np.array([FOUND]))[0]] = True
    return found[:-1]


def bucket_precision(things: Things, outside: np.ndarray, spared: np.ndarray) -> float:
    """AP at IoU 0.5, the mean over the classes, about a part of the true things; NaN where there are none.

    Args:
        things: truth and predictions.
        outside: (N,) bool, true things that are not in the bucket.
        spared: (P,) bool, predictions that do not count as wrong if they find nothing.
    """
    ignored = things.truth.crowd | outside
    target = match(things, np.array([FOUND]), ignored)[0]
    left_out = np.append(ignored, False)[target] | (spared & (target < 0))
    found, one = [np.nan], np.ones((1, things.pictures))
    for c, order in enumerate(things.order() if things.classes else ()):
        wanted = float((~ignored & (things.truth.classes == c)).sum())
        kept = order[~left_out[order]]
        found.append(weighted_precision(things.predicted.rows[kept], target[kept] >= 0, np.array([wanted]), one)[0])
    return float(mean_defined(np.array(found)))


def _buckets(
    things: Things, truth: Sequence[Detections], settings: Mapping[str, Any]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Each bucket's name, its true things and the predictions that are spared there."""
    sizes, guessed, share = things.truth.sizes, things.predicted.sizes, covered(truth)
    none, found = np.zeros(len(things.predicted), bool), []
    for name in ("small", "medium", "large"):
        low, high = AREAS[name]
        found.append((name, (sizes >= low) & (sizes <= high), (guessed < low) | (guessed > high)))
    found += [(name, (share > low) & (share <= high), none) for name, (low, high) in BANDS.items()]
    cut = cut_by_frame(truth, settings.get("sizes"))
    return found if cut is None else [*found, ("cut by the frame", cut, none), ("not cut", ~cut, none)]


@dataclass(frozen=True, slots=True)
class Buckets:
    """A metric: recall of clear and of occluded things, and AP50 by size and occlusion, by one measure."""

    measure: Measure

    @property
    def higher_is_better(self) -> dict[str, bool]:
        return {f"{self.measure.name}_recall_{part}": True for part in ("occluded", "clear")}

    def estimator(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> Estimator:
        things = things_of(truth, predicted, space, settings, self.measure)
        wanted, found, occluded = ~things.truth.crowd, _found(things), _occluded(truth, settings)
        rows, groups = things.truth.rows, dict(zip(self.higher_is_better, (occluded, ~occluded)))

        def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
            return {
                name: ratio(sums_by_picture(rows[own & wanted & found], weights), sums_by_picture(rows[own & wanted], weights))
                for name, own in groups.items()
            }

        return estimate

    def numbers(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> dict[str, float | None]:
        """``box_recall_occluded`` and ``box_recall_clear``: the share of such things found at IoU 0.5 at any score, in 0..1.

        Args:
            truth, predicted: N labels.
            settings: ``sizes``: the (height, width) of each picture; without it, what the frame cuts is not known.
        """
        return point(self.estimator(truth, predicted, space, settings), len(truth))

    def counts(self, truth: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
        """How many things there are to find of each kind."""
        wanted, occluded = wanted_things(truth), _occluded(truth, settings)
        return dict(zip(self.higher_is_better, (int((wanted & own).sum()) for own in (occluded, ~occluded))))

    def figures(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Recall and AP50 of each bucket, as a table and as bars."""
        things = things_of(truth, predicted, space, settings, self.measure)
        wanted, found = ~things.truth.crowd, _found(things)
        if not wanted.any():
            return []
        rows = []
        for name, own, spared in _buckets(things, truth, settings):
            n, hits = int((own & wanted).sum()), int((own & wanted & found).sum())
            precision = plain(bucket_precision(things, ~own, spared))
            rows.append([name, n, hits, round(hits / n, 4) if n else None, None if precision is None else round(precision, 4)])
        note = "A wrong prediction has no bucket of occlusion, so it counts in each of them; AP50 there is low for rare buckets."
        if settings.get("sizes") is None:
            note += " The pictures' sizes are not known: things that the frame cuts are not told apart."
        columns = ["things", "n", "found", "recall at IoU 0.5", "ap50"]
        drawn = {"kind": "table", "title": f"Things by size and occlusion, found by {self.measure.of}", "columns": columns, "rows": rows, "note": note}
        series = [{"name": "recall", "values": [row[3] for row in rows]}, {"name": "ap50", "values": [row[4] for row in rows]}]
        labels = [f"{row[0]} (n = {row[1]})" for row in rows]
        bars = {"kind": "bars", "title": f"Recall and AP50 of {self.measure.of} by size and occlusion", "labels": labels, "series": series}
        return [bars | {"x_range": [0.0, 1.0]}, drawn]

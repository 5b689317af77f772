"""COCO's twelve numbers (Lin et al. 2014, arXiv:1405.0312) by any measure of overlap, of many resamples at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import Estimator, mean_defined, names_of, point, ratio, rounded, table
from vidi.metrics._matching import AREAS, THRESHOLDS, Things, caps_of, match, sums_by_picture, things_of, wanted_things
from vidi.metrics._measures import Measure, thing_sizes
from vidi.metrics._precision import blocks, interpolated

ByClass = dict[str, np.ndarray]


def precision_and_recall(things: Things, caps: Sequence[int], prefix: str) -> Callable[[np.ndarray], ByClass]:
    """A function from weights (R, N) to COCO's numbers of each class, each (C, R), NaN where the class has nothing to find."""
    readings = [_Reading(things, *bounds, name == "all") for name, bounds in AREAS.items()]
    orders = things.order() if things.classes else []

    def by_class(weights: np.ndarray) -> ByClass:
        found = {}
        for (name, _), reading in zip(AREAS.items(), readings):
            shape = (len(orders), len(THRESHOLDS), len(weights))
            precision, recall = np.full(shape, np.nan), {cap: np.full(shape, np.nan) for cap in caps}
            for c, order in enumerate(orders):
                reading.of_class(c, order, weights, precision[c], {cap: values[c] for cap, values in recall.items()})
            suffix = "" if name == "all" else f"_{name}"
            found[f"{prefix}_ap{suffix}"] = precision.mean(1)
            if name == "all":
                found |= {f"{prefix}_ap50": precision[:, 0], f"{prefix}_ap75": precision[:, 5]}
                found |= {f"{prefix}_ar{cap}": recall[cap].mean(1) for cap in caps}
            else:
                found[f"{prefix}_ar{suffix}"] = recall[caps[-1]].mean(1)
        return dict(sorted(found.items(), key=lambda item: item[0].startswith(f"{prefix}_ar")))

    return by_class


class _Reading:
    """What counts as found, missed and ignored for things of one size."""

    def __init__(self, things: Things, low: float, high: float, whole: bool):
        truth, predicted = things.truth, things.predicted
        ignored = truth.crowd | (truth.sizes < low) | (truth.sizes > high)
        target = match(things, THRESHOLDS, ignored)
        outside = (predicted.sizes < low) | (predicted.sizes > high)
        spared = np.append(ignored, False)[target] & (target >= 0)
        self.hit = (target >= 0) & ~spared  # (T, P)
        self.counted = ~(spared | (outside & (target < 0)))
        self.wanted = [truth.rows[~ignored & (truth.classes == c)] for c in range(things.classes)]
        self.predicted, self.whole = predicted, whole

    def of_class(
        self, c: int, order: np.ndarray, weights: np.ndarray, precision: np.ndarray, recall: dict[int, np.ndarray]
    ) -> None:
        """Fill precision (T, R) and recall (T, R) by cap of one class, whose predictions are `order`."""
        wanted = self.wanted[c]
        if not len(wanted):
            return
        positives = sums_by_picture(wanted, weights)
        rows, ranks = self.predicted.rows[order], self.predicted.ranks[order]
        hit, counted = self.hit[:, order], self.counted[:, order]
        known = np.where(positives > 0, 0.0, np.nan)
        needed = np.flatnonzero(hit.any(0))
        precision[:] = known
        for cap, values in recall.items():
            few = hit & (ranks < cap)
            values[:] = known
            for t in range(len(few)):
                values[t] += ratio(sums_by_picture(rows[few[t]], weights), np.where(positives > 0, positives, 1.0))
        if not len(needed):
            return
        end = needed[-1] + 1
        rows, hit, counted = rows[:end], hit[:, :end], counted[:, :end]
        for part in blocks(weights, end):
            taken = np.take(np.ascontiguousarray(weights[part].T), rows, axis=0)
            everything = np.cumsum(taken, axis=0)
            for t in range(len(hit)):
                place = np.flatnonzero(hit[t])
                total = everything[place] if counted[t].all() else _totals(taken, counted[t], place)
                precision[t, part] = interpolated(np.cumsum(taken[place], axis=0), total, positives[part])


def _totals(taken: np.ndarray, counted: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Weight of the counted predictions down to each place, (M, R)."""
    kept = np.flatnonzero(counted)
    return np.cumsum(taken[kept], axis=0)[np.searchsorted(kept, place)]


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """A metric: average precision and recall of things by one measure."""

    measure: Measure

    @property
    def higher_is_better(self) -> dict[str, bool]:
        parts = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")
        return {f"{self.measure.name}_{part}": True for part in parts}

    def estimator(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> Estimator:
        things = things_of(truth, predicted, space, settings, self.measure)
        by_class = precision_and_recall(things, caps_of(settings), self.measure.name)

        def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
            return {name: mean_defined(values.T) for name, values in by_class(weights).items()}

        return estimate

    def numbers(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> dict[str, float | None]:
        """Average precision and recall in 0..1, means over the classes that have something to find.

        With ``box`` for the measure's name: ``box_ap`` is the mean over IoU 0.5, 0.55, … 0.95, ``box_ap50`` and ``box_ap75`` are at one
        IoU, ``…_small``, ``…_medium`` and ``…_large`` are about things below 32², up to 96² and above (square pixels). ``box_ar1 box_ar10
        box_ar100`` are mean recalls with that many predictions per picture and class. ``settings["max_dets"]`` sets other caps;
        the last one holds for all else.

        Args:
            truth: N labels; crowds need not be found, and predictions inside them do not count.
            predicted: N labels.
        """
        return point(self.estimator(truth, predicted, space, settings), len(truth))

    def counts(self, truth: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
        """How many things there are to find, of each size."""
        sizes = np.concatenate([np.zeros(0), *map(thing_sizes, truth)])[wanted_things(truth)]
        found = {name: int(((sizes >= low) & (sizes <= high)).sum()) for name, (low, high) in AREAS.items()}
        names = [*self.higher_is_better, *(f"{self.measure.name}_ar{cap}" for cap in caps_of(settings))]
        return {name: found.get(name.rpartition("_")[2], found["all"]) for name in names}

    def figures(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The table of classes, and how many pictures lost predictions to the cap."""
        things, prefix = things_of(truth, predicted, space, settings, self.measure), self.measure.name
        if not len(things.truth) + len(things.predicted):
            return []
        caps = caps_of(settings)
        found = {name: values[:, 0] for name, values in precision_and_recall(things, caps, prefix)(np.ones((1, len(truth)))).items()}
        shown = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", f"ar{caps[-1]}"]
        n = np.bincount(things.truth.classes[~things.truth.crowd], minlength=things.classes)
        guesses = np.bincount(things.predicted.classes, minlength=things.classes)
        parts = [names_of(space, things.classes), n.tolist(), guesses.tolist(), *(rounded(found[f"{prefix}_{name}"]) for name in shown)]
        title = f"Average precision of {self.measure.of} by class"
        drawn = table(title, ["class", "n", "predicted", *shown], [list(row) for row in zip(*parts)], found[f"{prefix}_ap"])
        cut = int(things.cut.sum())
        kept = f"The {caps[-1]} predictions of highest score count in each picture and class"
        note = f"{kept}; {cut} of {things.pictures} pictures had more." if cut else f"{kept}; no picture had more."
        wanted = things.truth.rows[~things.truth.crowd] * max(things.classes, 1) + things.truth.classes[~things.truth.crowd]
        most = int(np.bincount(wanted).max(initial=0))
        if most > caps[-1]:
            note += f" A picture shows {most} things of one class, more than can be found so: `vidi val --max_det {2 * most}` counts all."
        return [drawn | {"note": note}]

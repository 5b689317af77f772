"""Precision, recall and F1 of things at a score threshold, and what other thresholds would give, by any measure of overlap.

A prediction is right if it overlaps a thing of its class with IoU 0.5 or more that no prediction of higher score has found. Counts
are pooled over the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import Estimator, drawn_classes, names_of, point, ratio, rounded, table, thresholds
from vidi.metrics._box_thresholds import cuts, found_and_counted
from vidi.metrics._matching import Things, sums_by_picture, things_of, wanted_things
from vidi.metrics._measures import Measure
from vidi.metrics._precision import blocks
from vidi.ops.curves import thin


@dataclass(frozen=True, slots=True)
class F1:
    """A metric: precision, recall and F1 of things by one measure."""

    measure: Measure

    @property
    def higher_is_better(self) -> dict[str, bool]:
        return {f"{self.measure.name}_{part}": True for part in ("f1", "precision", "recall")}

    def estimator(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> Estimator:
        things = things_of(truth, predicted, space, settings, self.measure)
        hit, counted = found_and_counted(things)
        wanted = things.truth.rows[~things.truth.crowd]
        rows, scores = things.predicted.rows, things.predicted.scores
        if settings.get("thresholds") is not None:
            kept = counted & (scores >= thresholds(settings, space, things.classes)[things.predicted.classes])

            def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
                right, chosen = (sums_by_picture(rows[part], weights) for part in (hit & kept, kept))
                return self._numbers(right, chosen, sums_by_picture(wanted, weights))

            return estimate

        order = np.flatnonzero(counted)[np.argsort(-scores[counted], kind="stable")]
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))[: len(order)]

        def best(weights: np.ndarray) -> dict[str, np.ndarray]:
            positives = sums_by_picture(wanted, weights)
            right, chosen = np.zeros((2, len(weights)))
            for part in blocks(weights, len(order)) if len(order) else ():
                taken = np.take(np.ascontiguousarray(weights[part].T), rows[order], axis=0)
                total = np.cumsum(taken, axis=0)[ends]
                found = np.cumsum(taken * hit[order, None], axis=0)[ends]
                f1 = np.nan_to_num(ratio(2 * found, total + positives[part]))
                place = f1.argmax(0), np.arange(f1.shape[1])
                right[part], chosen[part] = found[place], total[place]
            return self._numbers(right, chosen, positives)

        return best

    def _numbers(self, right: np.ndarray, chosen: np.ndarray, positives: np.ndarray) -> dict[str, np.ndarray]:
        values = ratio(2 * right, chosen + positives), ratio(right, chosen), ratio(right, positives)
        return dict(zip(self.higher_is_better, values))

    def numbers(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> dict[str, float | None]:
        """F1, precision and recall (``box_f1 box_precision box_recall``) in 0..1, of all things of all classes together.

        Args:
            truth: N labels; crowds need not be found, and predictions inside them do not count.
            predicted: N labels; predictions whose score reaches ``settings["thresholds"]`` (one number, one per class, or by class
                name) are kept. Without the setting it is the one threshold for all classes that gives the best F1 on these very
                samples, which flatters: the table's note names it.
        """
        return point(self.estimator(truth, predicted, space, settings), len(truth))

    def counts(self, truth: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
        """How many things there are to find."""
        return dict.fromkeys(self.higher_is_better, int(wanted_things(truth).sum()))

    def figures(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Precision, recall and F1 over the threshold, F1 of at most ten classes, and the table of classes at the thresholds in use.

        The table's last columns have the best F1 that any threshold reaches on these very samples, and that threshold.
        """
        things = things_of(truth, predicted, space, settings, self.measure)
        if not len(things.truth) + len(things.predicted):
            return []
        hit, counted = found_and_counted(things)
        scores, wanted = things.predicted.scores, int((~things.truth.crowd).sum())
        found, common = [], np.nan
        if counted.any() and wanted:
            levels, right, chosen = cuts(scores[counted], hit[counted])
            curves = {"F1": 2 * right / (chosen + wanted), "precision": right / chosen, "recall": right / wanted}
            common = levels[curves["F1"].argmax()]
            found.append(_lines(f"Precision, recall and F1 of {self.measure.of} over the score threshold", "share", _series(levels, curves)))
        given = settings.get("thresholds") is not None
        used = thresholds(settings, space, things.classes) if given else np.full(things.classes, common)
        note = "The thresholds are the model's." if given else _said(common)
        return found + _by_class(things, hit, counted, used, names_of(space, things.classes), note, self.measure.of)


def _said(common: float) -> str:
    if np.isnan(common):
        return "There is no threshold to choose."
    return f"One threshold for all classes, {common:.4g}, chosen for the best F1 on these very samples."


def _series(levels: np.ndarray, curves: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    thinned = {name: thin(levels, values) for name, values in curves.items()}
    return [{"name": name, "x": x, "y": y} for name, (x, y) in thinned.items()]


def _lines(title: str, label: str, series: list[dict[str, Any]]) -> dict[str, Any]:
    axes = {"xlabel": "score threshold", "ylabel": label, "y_range": [0.0, 1.0]}
    return {"kind": "lines", "title": title, **axes, "series": series, "diagonal": False}


def _by_class(
    things: Things, hit: np.ndarray, counted: np.ndarray, used: np.ndarray, names: list[str], note: str, of: str
) -> list[dict[str, Any]]:
    n = np.bincount(things.truth.classes[~things.truth.crowd], minlength=things.classes)
    classes, scores = things.predicted.classes, things.predicted.scores
    kept = counted & (scores >= used[classes])
    right, chosen = (np.bincount(classes[part], minlength=things.classes) for part in (hit & kept, kept))
    f1, curves = ratio(2 * right, chosen + n), {}
    best, best_at = np.full((2, things.classes), np.nan)
    for c in np.flatnonzero(n):
        own = counted & (classes == c)
        if own.any():
            levels, found, total = cuts(scores[own], hit[own])
            curves[c] = levels, 2 * found / (total + n[c])
            best[c], best_at[c] = curves[c][1].max(), levels[curves[c][1].argmax()]
    series = [
        one
        for c in drawn_classes(np.where(np.isnan(best), np.nan, f1))
        for one in _series(curves[c][0], {names[c]: curves[c][1]})
    ]
    title = f"F1 of {of} over the score threshold"
    if len(series) < len(names):
        title += f" ({len(series)} of {len(names)} classes, lowest F1)"
    columns = ["class", "n", "threshold", "predicted", "precision", "recall", "f1", "best f1", "at"]
    parts = [names, n.tolist(), rounded(used), chosen.tolist()]
    parts += [rounded(part) for part in (ratio(right, chosen), ratio(right, n), f1, best, best_at)]
    drawn = table(f"Precision, recall and F1 of {of} by class", columns, [list(row) for row in zip(*parts)], f1) | {"note": note}
    return ([_lines(title, "F1", series)] if series else []) + [drawn]

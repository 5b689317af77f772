"""Which classes of things are taken for which, for background, or seen where there is nothing, by any measure of overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import names_of, ratio, rounded
from vidi.metrics._box_thresholds import score_thresholds
from vidi.metrics._confusions import MATRIX_CLASSES, most_frequent
from vidi.metrics._matching import FOUND, Things, match, things_of
from vidi.metrics._measures import Measure


def thing_confusion_matrix(things: Things, thresholds: np.ndarray) -> np.ndarray:
    """Things by true class (rows) and predicted class (columns), the last of both being background, (C + 1, C + 1) int64.

    Right classes are matched first, so that the diagonal holds the true positives; then what is left, by falling IoU.
    Predictions inside crowds do not count.

    Args:
        things: gathered with ``across=True``.
        thresholds: (C,) scores that predictions must reach.
    """
    truth, predicted, count = things.truth, things.predicted, things.classes
    kept = predicted.scores >= thresholds[predicted.classes]
    target = np.where(kept, match(things, np.array([FOUND]))[0], -1)
    counted = kept & ~np.append(truth.crowd, False)[target]
    target[~counted] = -1
    free = ~truth.crowd
    free[target[target >= 0]] = False

    first, second = things.pairs
    for pair in np.lexsort((second, first, -things.overlaps)).tolist():
        p, t = first[pair], second[pair]
        if counted[p] and target[p] < 0 and free[t] and predicted.classes[p] != truth.classes[t]:
            target[p], free[t] = t, False
    matrix = np.zeros((count + 1, count + 1), np.int64)
    rows = np.where(target >= 0, np.append(truth.classes, 0)[target], count)
    np.add.at(matrix, (rows[counted], predicted.classes[counted]), 1)
    np.add.at(matrix[:, count], truth.classes[free], 1)
    return matrix


@dataclass(frozen=True, slots=True)
class Confusion:
    """A metric: which things are taken for which by one measure, figures only."""

    measure: Measure

    def numbers(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> dict[str, float | None]:
        """No numbers."""
        return {}

    def figures(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The matrix as counts and as shares of each true class (up to 60 classes), and the table of the most frequent errors.

        Predictions whose score reaches ``settings["thresholds"]`` (0.25) count, at IoU 0.5.
        """
        things = things_of(truth, predicted, space, settings, self.measure, across=True)
        if not len(things.truth) + len(things.predicted):
            return []
        used = score_thresholds(settings, space, things.classes)
        names, found = [*names_of(space, things.classes), "background"], []
        matrix = thing_confusion_matrix(things, used)
        share = ratio(matrix, matrix.sum(1, keepdims=True))
        level = f"score {used[0]:.3g}" if (used == used[0]).all() else "the classes' thresholds"
        note = f"At {level} and IoU {FOUND}. The last row: predictions that found nothing; the last column: things not found."
        if things.classes <= MATRIX_CLASSES:
            axes = {"rows": names, "columns": names, "xlabel": "predicted", "ylabel": "true", "note": note}
            values: list[list[int | None]] = matrix.tolist()
            values[-1][-1] = None
            shares = rounded(share)
            shares[-1][-1] = None
            found = [
                {"kind": "matrix", "title": f"Confusion matrix of {self.measure.of}", **axes, "values": values},
                {"kind": "matrix", "title": f"Confusion matrix of {self.measure.of}, share of the true class", **axes, "values": shares},
            ]
        return found + most_frequent(matrix, share, names)

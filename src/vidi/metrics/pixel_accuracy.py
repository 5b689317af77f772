"""The share of pixels with the right class, over all pixels and as a mean over classes, and which classes are taken for which.

Long, Shelhamer & Darrell 2015, section 5 ("pixel accuracy", "mean accuracy").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import Estimator, names_of, point, ratio, rounded, table
from vidi.metrics._confusions import MATRIX_CLASSES, most_frequent
from vidi.metrics._maps import columns, share_by_class, tables

FAMILIES = frozenset({"Segmentation"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"pixel_accuracy": True, "mean_class_accuracy": True, "mean_class_precision": True}


def estimator(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    counted = tables(truth, predicted, space)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, present, chosen = counted.sums(weights)
        return {
            "pixel_accuracy": ratio(hits.sum(1), present.sum(1)),
            "mean_class_accuracy": share_by_class(hits, present),
            "mean_class_precision": share_by_class(hits, chosen),
        }

    return estimate


def numbers(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``pixel_accuracy``; ``mean_class_accuracy``, the mean recall of the classes in the truth; ``mean_class_precision``, the mean
    precision of the classes in the prediction. All in 0..1.

    Args:
        truth: N labels; pixels whose class is not known are left out.
        predicted: N labels; pixels without a prediction are misses.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Precision and recall by class; the confusion matrix as pixels and as shares of each true class (up to 60 classes), and the table
    of the most frequent errors."""
    counted = tables(truth, predicted, space)
    hits, present, chosen = counted.all()
    if not present.any():
        return []
    names, recall = names_of(space, counted.classes), ratio(hits, present)
    parts = [names, *columns(present.astype(int), chosen.astype(int), ratio(hits, chosen), recall)]
    heads = ["class", "pixels", "predicted", "precision", "recall"]
    found = [table("Precision and recall by class, in pixels", heads, [list(row) for row in zip(*parts)], recall)]
    matrix, missing = counted.matrix[:, :-1], int(counted.matrix[:, -1].sum())
    share = ratio(matrix, counted.matrix.sum(1, keepdims=True))
    if len(names) <= MATRIX_CLASSES:
        axes: dict[str, Any] = {"rows": names, "columns": names, "xlabel": "predicted", "ylabel": "true"}
        if missing:
            axes["note"] = f"{missing} pixels without a prediction are in no column; the shares count them."
        found.append({"kind": "matrix", "title": "Confusion matrix, pixels", **axes, "values": matrix.tolist()})
        found.append({"kind": "matrix", "title": "Confusion matrix, share of the true class", **axes, "values": rounded(share)})
    return found + most_frequent(matrix, share, names)

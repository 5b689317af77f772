"""How well the borders of classes are drawn.

The BF score of Csurka, Larlus & Perronnin 2013, "What is a good evaluation measure for semantic segmentation?": for each class of a
picture, precision is the share of its predicted border pixels that lie within a tolerance of a true one, recall the share of its true
border pixels that lie within it of a predicted one, and F1 their harmonic mean; it is averaged over the pictures, then over the
classes. The tolerance is 0.75 % of the picture's diagonal. Border pixels of a class are its pixels that share a side with a pixel of
another class; the picture's frame and pixels of unknown class make no border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import Estimator, names_of, point, table
from vidi.metrics._maps import UNKNOWN, by_class, class_counts, columns, known_maps, mean_by_class, remembered
from vidi.metrics._surfaces import by_picture, points_by_class
from vidi.ops.surfaces import distances, inner_border

FAMILIES = frozenset({"Segmentation"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"boundary_f1": True}

TOLERANCE = 0.0075
"""Share of the diagonal."""


@remembered
def border_scores(true: Segmentation, guess: Segmentation) -> dict[int, tuple[float, float, float]]:
    """F1, precision and recall of each class with a border in either map; where only one map has one they are 0."""
    first, second = known_maps(true, guess)
    reach = TOLERANCE * float(np.hypot(*true.shape))
    left, right = (points_by_class(values, inner_border(values, UNKNOWN)) for values in (first, second))
    found = {}
    for c in sorted(left.keys() | right.keys()):
        scores = (0.0, 0.0, 0.0)
        if c in left and c in right:
            precision = float((distances(right[c], left[c]) <= reach).mean())
            recall = float((distances(left[c], right[c]) <= reach).mean())
            scores = 2 * precision * recall / max(precision + recall, 1e-12), precision, recall
        found[c] = scores
    return found


def estimator(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    values = by_picture(border_scores, truth, predicted, space)[..., 0]

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        each, mean = mean_by_class(weights, values)
        return {"boundary_f1": mean, **by_class("boundary_f1", each, space)}

    return estimate


def numbers(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``boundary_f1`` and, for up to ten classes, ``boundary_f1_<class>``, in 0..1.

    A class counts in the pictures where it has a border in truth or prediction.

    Args:
        truth: N labels; predictions where the class is not known are left out.
        predicted: N labels.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many pictures show each class."""
    return class_counts("boundary_f1", truth, space)


def figures(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of classes: pictures where the class has a border, and the means of F1, precision and recall."""
    values = by_picture(border_scores, truth, predicted, space)
    n = (~np.isnan(values[..., 0])).sum(0)
    if not n.any():
        return []
    means = [mean_by_class(np.ones((1, len(values))), values[..., k])[0][0] for k in range(3)]
    parts = [names_of(space, len(n)), *columns(n, *means)]
    drawn = table("Borders by class", ["class", "pictures", "boundary f1", "precision", "recall"], [list(row) for row in zip(*parts)], means[0])
    return [drawn | {"note": f"Within {TOLERANCE:.2%} of the picture's diagonal."}]

"""The Dice coefficient of classes, pooled over the pixels of all pictures, and picture by picture.

Dice 1945: 2 · hits / (true + predicted), which is the F1 of the pixels. Medical challenges average each picture's own coefficient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import Estimator, mean, mean_defined, names_of, point, ratio, table
from vidi.metrics._maps import by_class, class_counts, columns, histogram, pictures_of, tables

FAMILIES = frozenset({"Segmentation"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"dice": True}


def estimator(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    counted = tables(truth, predicted, space)
    own = mean_defined(ratio(2 * counted.hits, counted.present + counted.chosen))

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, present, chosen = counted.sums(weights)
        dice = ratio(2 * hits, present + chosen)
        return {"dice": mean_defined(dice), "dice_by_picture": mean(weights, own), **by_class("dice", dice, space)}

    return estimate


def numbers(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``dice``, ``dice_by_picture`` and, for up to ten classes, ``dice_<class>``, in 0..1.

    Means run over the classes present in truth or prediction; a class in only one of them counts as 0. A background that the data
    name is a class like all others.

    Args:
        truth: N labels; pixels whose class is not known are left out.
        predicted: N labels; pixels without a prediction are misses.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many pictures show each class."""
    return class_counts("dice", truth, space)


def figures(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of classes with the coefficient over all pixels and over pictures, and how many pictures reach which mean."""
    counted = tables(truth, predicted, space)
    hits, present, chosen = counted.all()
    if not present.any():
        return []
    pooled, each = ratio(2 * hits, present + chosen), ratio(2 * counted.hits, counted.present + counted.chosen)
    filled, known = np.where(np.isnan(each), np.inf, each), ~np.isnan(each)
    lowest = np.where(known.any(0), filled.min(0), np.nan)
    parts = [names_of(space, counted.classes), *columns(pictures_of(truth, space), pooled, mean_defined(each.T), lowest)]
    drawn = table("Dice by class", ["class", "pictures", "dice", "mean of pictures", "lowest picture"], [list(row) for row in zip(*parts)], pooled)
    return [drawn, *histogram("Pictures by their mean Dice", mean_defined(each), "mean Dice")]

"""Intersection over union of classes, pooled over the pixels of all pictures, and picture by picture.

IoU as in PASCAL VOC (Everingham et al. 2015): hits / (true + predicted − hits). The mean over pictures of each picture's own mean is
what Wang et al. 2023, "Revisiting evaluation metrics for semantic segmentation", call mIoU^I: large pictures and large things weigh
no more there than small ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import Estimator, mean, mean_defined, names_of, point, ratio, table
from vidi.metrics._maps import Tables, by_class, class_counts, columns, histogram, pictures_of, share_by_class, tables

FAMILIES = frozenset({"Segmentation"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"miou": True, "iou": True}


def picture_iou(counted: Tables) -> np.ndarray:
    """The mean IoU of each picture over the classes present in its truth or prediction, (N,); NaN where nothing is known."""
    return share_by_class(counted.hits, counted.present + counted.chosen - counted.hits)


def estimator(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    counted = tables(truth, predicted, space)
    own = picture_iou(counted)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, present, chosen = counted.sums(weights)
        iou = ratio(hits, present + chosen - hits)
        return {"miou": mean_defined(iou), "miou_by_picture": mean(weights, own), **by_class("iou", iou, space)}

    return estimate


def numbers(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``miou``, ``miou_by_picture`` and, for up to ten classes, ``iou_<class>``, in 0..1.

    Means run over the classes present in truth or prediction; a class in only one of them counts as 0.

    Args:
        truth: N labels; pixels whose class is not known are left out.
        predicted: N labels; pixels without a prediction are misses.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many pictures show each class."""
    return class_counts("iou", truth, space)


def figures(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of classes, and how many pictures reach which mean IoU."""
    counted = tables(truth, predicted, space)
    hits, present, chosen = counted.all()
    if not present.any():
        return []
    iou = ratio(hits, present + chosen - hits)
    parts = [names_of(space, counted.classes), *columns(pictures_of(truth, space), present.astype(int), present / present.sum())]
    parts += columns(chosen.astype(int), iou)
    heads = ["class", "pictures", "pixels", "share", "predicted", "iou"]
    drawn = table("IoU by class", heads, [list(row) for row in zip(*parts)], iou)
    return [drawn, *histogram("Pictures by their mean IoU", picture_iou(counted), "mean IoU")]

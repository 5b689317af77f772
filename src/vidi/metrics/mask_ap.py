"""COCO's twelve numbers about masks (Lin et al. 2014, arXiv:1405.0312), equal to those of pycocotools.

A thing's mask is its `masks` entry, else the pixels of its outline, else (a thing without any) the pixels whose center lies in its box.
The size of a true thing is the area of its mask or polygons, a prediction's the pixels of its mask. Where they differ on purpose:
undefined numbers are None instead of −1, and of equal scores in one picture the box decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import names_of, ratio, rounded, table
from vidi.metrics._matching import FOUND, match, things_of
from vidi.metrics._measures import MASKS
from vidi.metrics._thing_ap import AveragePrecision

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None

metric = AveragePrecision(MASKS)
HIGHER_IS_BETTER = metric.higher_is_better
estimator, numbers, counts = metric.estimator, metric.numbers, metric.counts


def figures(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of average precision, and how closely the things that were found are outlined, by class."""
    drawn = metric.figures(truth, predicted, space, settings)
    return [*drawn, _closeness(truth, predicted, space, settings)] if drawn else []


def _closeness(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Mean IoU and Dice of the pairs that match at IoU 0.5, by the class of the thing."""
    things = things_of(truth, predicted, space, settings, MASKS)
    target = match(things, np.array([FOUND]))[0]
    hit = target[things.pairs[0]] == things.pairs[1]
    hit &= ~things.truth.crowd[things.pairs[1]]
    iou, classes = things.overlaps[hit], things.truth.classes[things.pairs[1][hit]]
    found = np.bincount(classes, minlength=things.classes)
    means = [ratio(np.bincount(classes, weights=values, minlength=things.classes), found) for values in (
        iou, 2 * iou / (1 + iou), iou >= 0.75, iou >= 0.9,
    )]  # fmt: skip
    n = np.bincount(things.truth.classes[~things.truth.crowd], minlength=things.classes)
    parts = [names_of(space, things.classes), n.tolist(), found.tolist(), *(rounded(mean) for mean in means)]
    columns = ["class", "n", "found", "mean IoU", "mean Dice", "IoU ≥ 0.75", "IoU ≥ 0.9"]
    drawn = table("How closely found things are outlined", columns, [list(row) for row in zip(*parts)], means[0])
    note = f"Of things that a prediction of any score finds at IoU {FOUND}; the last columns are shares of those."
    return drawn | {"note": note}

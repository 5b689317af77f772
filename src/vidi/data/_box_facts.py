"""Numbers of the boxes of a data set, in plain JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidi.data._look import Looks
from vidi.data.rules._base import class_table

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}
"""COCO's buckets: area in square pixels, from and below."""


def parts_of(looks: Looks) -> dict[str, np.ndarray]:
    """Which samples are in all of the data and, where there are splits, in each: (S,) bool by name."""
    splits = np.array(looks.splits)
    order = [name for name in ("train", "val", "test") if (splits == name).any()]
    order += sorted(set(looks.splits) - {"", *order})
    return {"all": np.ones(len(splits), bool)} | {name: splits == name for name in order}


def per_picture(looks: Looks) -> np.ndarray:
    """Number of boxes of each labeled sample, (M,) int64."""
    labels = [sample.label for sample in looks.dataset if sample.label is not None and sample.label.family == "Detections"]
    return np.array([len(label.classes) for label in labels], np.int64)  # type: ignore[attr-defined]


def sizes_by_split(looks: Looks) -> dict[str, dict[str, int]]:
    """Sound boxes in each of COCO's buckets of area, by split."""
    boxes = looks.boxes
    return {
        name: {size: int((boxes.sound & rows[boxes.row] & (boxes.area >= low) & (boxes.area < high)).sum()) for size, (low, high) in SIZES.items()}
        for name, rows in parts_of(looks).items()
    }


def pictures_by_class(looks: Looks) -> dict[str, dict[str, int]]:
    """On how many pictures each class stands, by split."""
    table, space = class_table(looks.dataset, looks), looks.dataset.space
    if table is None or space is None:
        return {}
    there = np.nan_to_num(table) > 0
    return {name: dict(zip(space.names, there[rows].sum(0).tolist())) for name, rows in parts_of(looks).items()}


def box_facts(looks: Looks) -> dict[str, Any]:
    """Counts and distributions."""
    boxes, each = looks.boxes, per_picture(looks)
    sides = boxes.sides[boxes.sound]
    facts: dict[str, Any] = {
        "count": len(boxes),
        "sound": int(boxes.sound.sum()),
        "crowds": int(boxes.crowd.sum()),
        "empty_pictures": int((each == 0).sum()),
        "sizes": sizes_by_split(looks),
        "pictures": pictures_by_class(looks),
    }
    if len(each):
        facts["per_picture"] = {"min": int(each.min()), "median": float(np.median(each)), "mean": float(each.mean()), "max": int(each.max())}
    if len(sides):
        middle = np.median(sides, axis=0)
        facts["median_size"] = {"width": float(middle[0]), "height": float(middle[1])}
    return facts

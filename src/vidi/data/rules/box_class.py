"""Boxes of a class that nobody names."""

import numpy as np

from vidi.data.rules._base import about_box

SEVERITY = "error"
MEANING = "The class of the box is none of the data's classes: its number is negative, or as large as the number of classes, or larger."
FIX = "Correct the class, or add its name to the data's classes."


def check(dataset, looks):
    count = len(dataset.space) if dataset.space is not None and dataset.space.family == "Detections" else 0
    if not count:
        return
    boxes = looks.boxes
    for index in np.flatnonzero((boxes.kind < 0) | (boxes.kind >= count)).tolist():
        yield about_box(looks, index, f"the classes are 0 to {count - 1}", value=int(boxes.kind[index]), action="drop_box")

"""Boxes that are no numbers."""

import numpy as np

from vidi.data.rules._base import about_box, spelled

SEVERITY = "error"
MEANING = "A side of the box, or its score, is NaN, infinite, or too large for a 32-bit number."
FIX = "Correct the box or remove it."


def check(dataset, looks):
    boxes = looks.boxes
    for index in np.flatnonzero(~boxes.finite | ~np.isfinite(boxes.score)).tolist():
        wrong = not boxes.finite[index]
        message = "a side of the box is no finite number" if wrong else "the score of the box is no finite number"
        value = spelled(boxes.box[index]) if wrong else float(boxes.score[index])
        yield about_box(looks, index, message, value=str(value), action="drop_box")

"""Boxes without area."""

import numpy as np

from vidi.data.rules._base import about_box

SEVERITY = "error"
MEANING = "The box is zero or fewer pixels wide or high: its second corner does not lie right of and below the first."
FIX = "Correct the box (corners as x1 y1 x2 y2, or width and height above 0), or remove it."


def check(dataset, looks):
    boxes = looks.boxes
    for index in np.flatnonzero(boxes.finite & ~boxes.sound).tolist():
        wide, tall = boxes.sides[index].tolist()
        yield about_box(looks, index, f"the box has no area: it is {wide:.6g} wide and {tall:.6g} high", action="drop_box")

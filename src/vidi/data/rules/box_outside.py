"""Boxes that leave their picture."""

import numpy as np

from vidi.data.rules._base import about_box

SEVERITY = "error"
MEANING = "The box lies outside of its picture, wholly or by more than rounding explains (1 pixel, and 0.5 % of the picture's side)."
FIX = "Correct the box, or cut it to the picture: vidi doctor DATA --fix clip."


def check(dataset, looks):
    boxes = looks.boxes
    for index in np.flatnonzero(boxes.leaves).tolist():
        frame = f"{boxes.width[index]:.0f}×{boxes.height[index]:.0f} picture"
        if boxes.gone[index]:
            yield about_box(looks, index, f"the box lies wholly outside of the {frame}", action="drop_box")
        else:
            yield about_box(looks, index, f"the box leaves the {frame} by {boxes.beyond[index]:.6g} pixels", action="clip")

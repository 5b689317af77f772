"""Boxes that say no more than that the thing is on the picture."""

import numpy as np

from vidi.data.rules._base import about_all

SEVERITY = "note"
MEANING = "On many pictures (3 or more, and 5 % of those with boxes) a box is practically the whole picture, as happens when class labels are turned into boxes."
FIX = "Check that the boxes were really drawn; for one thing per picture, classification does better."
FEWEST, SHARE, COVERS = 3, 0.05, 0.98


def check(dataset, looks):
    boxes = looks.boxes
    known = boxes.sound & np.isfinite(boxes.width) & ~boxes.crowd
    inside = np.minimum(boxes.box[:, 2:], np.stack([boxes.width, boxes.height], 1)) - np.maximum(boxes.box[:, :2], 0)
    covered = np.where(known, np.maximum(inside, 0).prod(1) / (boxes.width * boxes.height), 0)
    rows, all_rows = np.unique(boxes.row[covered >= COVERS]), np.unique(boxes.row[known])
    if len(rows) >= max(FEWEST, SHARE * len(all_rows)):
        message = f"a box covers the whole picture on {len(rows)} of {len(all_rows)} pictures with boxes"
        yield about_all(dataset, message, value=len(rows), related=rows.tolist())

"""Things too small to be seen by a net."""

import numpy as np

from vidi.data.rules._base import about_all

SEVERITY = "note"
MEANING = (
    "Things under 4 pixels wide or high, or with both sides under 8 pixels once the picture's longer side is scaled down to 640: most nets"
    " cannot find them."
)
FIX = "Train and predict on tiles or at a larger input size, or remove boxes of what nobody can see."
LEAST, SCALED, INPUT = 4, 8, 640


def tiny(boxes):
    """Which boxes are too small as they are, and which would be after scaling, (N,) bool each."""
    longer = np.fmax(np.nan_to_num(np.fmax(boxes.height, boxes.width)), 1)
    usable = boxes.sound & ~boxes.crowd
    small = usable & (boxes.sides.min(1, initial=np.inf) < LEAST)
    scaled = boxes.sides.max(1, initial=0) * np.minimum(1, INPUT / longer)
    return small, usable & ~small & (scaled < SCALED)


def check(dataset, looks):
    boxes = looks.boxes
    small, scaled = tiny(boxes)
    for which, words in ((small, f"less than {LEAST} pixels wide or high"), (scaled, f"less than {SCALED} pixels on both sides in pictures of at most {INPUT}")):
        if which.any():
            count = int(which.sum())
            rows = np.unique(boxes.row[which]).tolist()
            message = f"{count} of {len(boxes)} boxes ({100 * count / len(boxes):.1f} %) are {words}, on {len(rows)} pictures"
            yield about_all(dataset, message, value=count, related=rows)

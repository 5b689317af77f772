"""Pictures of another size than the file of labels says."""

import numpy as np

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "The file of labels gives the picture another width and height than it has, so its boxes may lie in the wrong place."
FIX = "Check the boxes on the picture; if it was scaled or turned after labeling, scale or turn the boxes too."


def stated(sample):
    """The (height, width) that the labels' file gives, or None."""
    size = sample.extra.get("size")
    numbers = isinstance(size, (list, tuple)) and len(size) >= 2 and all(isinstance(side, (int, float)) for side in size[:2])
    return (int(size[0]), int(size[1])) if numbers else None


def check(dataset, looks):
    for row in np.flatnonzero(looks.seen).tolist():
        given, true = stated(dataset[row]), tuple(looks.size[row].tolist())
        if given is None or given == true or 0 in given:
            continue
        turned = " (turned: was the picture labeled without its EXIF orientation?)" if given == true[::-1] else ""
        message = f"the labels' file says {given[1]}×{given[0]}, the picture is {true[1]}×{true[0]}{turned}"
        yield about_sample(dataset, row, message, value=f"{given[1]}x{given[0]}")

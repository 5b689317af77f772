"""Masks of another size than their picture."""

import numpy as np

from vidi.data.rules._base import about_sample
from vidi.labels import Detections, Runs, Segmentation

SEVERITY = "error"
MEANING = "The mask is not as wide and high as its picture, so its pixels belong to other places of the picture."
FIX = "Export the mask at the picture's size; if the picture was scaled or turned after labeling, do the same to the mask (nearest neighbor)."


def sizes(label):
    """The (height, width) of a label's class map, or of its run lengths."""
    if isinstance(label, Segmentation):
        return {label.shape}
    if isinstance(label, Detections):
        return {outline.size for outline in label.outlines or () if isinstance(outline, Runs)}
    return set()


def check(dataset, looks):
    for row in np.flatnonzero(looks.seen).tolist():
        true = tuple(looks.size[row].tolist())
        wrong = sorted(size for size in sizes(dataset[row].label) if size != true)
        if not wrong:
            continue
        turned = " (turned: was the mask drawn without the picture's EXIF orientation?)" if wrong[0] == true[::-1] else ""
        message = f"the mask is {wrong[0][1]}×{wrong[0][0]}, the picture {true[1]}×{true[0]}{turned}"
        yield about_sample(dataset, row, message, at=dataset[row].extra.get("file"), value=f"{wrong[0][1]}x{wrong[0][0]}", drop=True)

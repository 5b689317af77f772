"""Classes of very unequal size."""

import numpy as np

from vidi.data.rules._base import about_all, class_counts, unit

SEVERITY = "warning"
MEANING = "The largest class has more than 10 times as many samples (or boxes, or pictures with its pixels) as the smallest, so accuracy says little. A note for a class with less than a 200th of the pixels."
FIX = "Judge by macro F1 or per-class recall, and try balance=sqrt or balance=equal."
LIMIT = 10
PIXELS = 200
"""A class of a smaller part of the pixels than one in so many is worth a note."""
FIXES = {
    "boxes": "Judge by the numbers of each class, and try repeating pictures of rare classes or pasting rare things into others.",
    "pictures": "Judge by the IoU of each class, and try crops balanced by class, class weights, or a Dice or focal loss.",
}


def ratio(dataset, looks=None):
    """Largest over smallest count of the classes that occur; None with fewer than two."""
    counts = class_counts(dataset, looks)
    counts = counts[counts > 0] if counts is not None else ()
    return float(counts.max() / counts.min()) if len(counts) > 1 else None


def check(dataset, looks):
    found = ratio(dataset, looks)
    if found is not None and found > LIMIT:
        counts, names = class_counts(dataset, looks), dataset.space.names
        least = min((count, index) for index, count in enumerate(counts.tolist()) if count > 0)[1]
        most = int(counts.argmax())
        message = f"class {names[most]} has {counts[most]} {unit(dataset)}, class {names[least]} has {counts[least]}"
        yield about_all(dataset, message, value=round(found, 1), fix=FIXES.get(unit(dataset), ""))
    elif found is not None and dataset.space.family == "Segmentation":
        yield from by_pixels(dataset, looks.maps.pixels.sum(0))


def by_pixels(dataset, pixels):
    """Classes on equally many pictures may differ in their pixels all the same."""
    there = np.flatnonzero(pixels)
    most, least = int(pixels.argmax()), int(there[pixels[there].argmin()])
    share = pixels[least] / pixels.sum()
    if share * PIXELS < 1:
        names = dataset.space.names
        message = f"class {names[least]} has {100 * share:.2g} % of the pixels, class {names[most]} {100 * pixels[most] / pixels.sum():.0f} %"
        yield about_all(dataset, message, value=round(float(pixels[most] / pixels[least]), 1), fix=FIXES["pictures"], severity="note")

"""Labels that say: nothing is there."""

import numpy as np

from vidi.data.rules import missing_label
from vidi.data.rules._base import about_all

SEVERITY = "note"
MEANING = "The label is there and says that no class or object is on the picture. Such samples are used as they stand."
FIX = "Nothing, if these pictures are meant as background; otherwise label them."


def empty(label):
    """Whether a known label holds nothing."""
    if missing_label.unknown(label):
        return False
    if label.family == "Classification":
        return not bool((np.nan_to_num(label.probabilities) > 0).any()) and not bool(np.isnan(label.probabilities).any())
    return label.family == "Detections" and len(label.classes) == 0


def check(dataset, looks):
    if dataset.space is None or (dataset.space.family == "Classification" and dataset.space.exclusive):
        return
    rows = [row for row, sample in enumerate(dataset) if empty(sample.label)]
    if rows:
        yield about_all(dataset, f"{len(rows)} samples are labeled as empty", value=len(rows), related=rows)

"""Samples without a label among labeled ones."""

import numpy as np

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "The sample has no label, or one of which nothing is known, while others have one; it teaches nothing and is not scored."
FIX = "Label the picture. If nothing is on it, say so with an empty label, which is not the same."


def unknown(label):
    """Whether a label says nothing."""
    if label is None:
        return True
    values = {"Classification": "probabilities", "Regression": "values"}.get(label.family)
    return values is not None and bool(np.isnan(getattr(label, values)).all())


def check(dataset, looks):
    missing = [row for row, sample in enumerate(dataset) if unknown(sample.label)]
    if len(missing) == len(dataset):
        return
    for row in missing:
        yield about_sample(dataset, row, "no label", drop=True, listing=True)

"""Labels that cannot be right."""

import numpy as np

from vidi.data.rules._base import about_sample

SEVERITY = "error"
MEANING = "The label is of another kind or length than the data's classes or values, is infinite, is no probability, names no class where one must hold, or has masks of another size than the picture."
FIX = "Correct the label."


def fault(label, space):
    """What is wrong with a label, and the value that shows it, or None."""
    if label.family != space.family:
        return f"expected {space.family}", label.family
    if label.family not in ("Classification", "Regression"):
        return None
    values = label.probabilities if label.family == "Classification" else label.values
    if len(values) != len(space) and len(space):
        return f"expected {len(space)} values", len(values)
    if np.isinf(values).any():
        return "not a finite number", "infinity"
    if label.family == "Regression":
        return None
    known = values[~np.isnan(values)]
    if known.size and (known.min() < -1e-4 or known.max() > 1 + 1e-4):
        return "not a probability in 0..1", f"{known.min():g} … {known.max():g}"
    if space.exclusive and known.size == len(values) and known.size and abs(float(known.sum()) - 1) > 1e-3:
        return "exclusive classes must sum to one", f"{known.sum():g}"
    return None


def misfit(label, size):
    """What is wrong with the masks of a label on a picture of (height, width), and their size, or None."""
    masks = label.masks if label.family == "Detections" else None
    if masks is None or len(masks) == 0 or masks.shape[1:] == size:
        return None
    return f"expected masks of the picture's size, {size[1]}×{size[0]}", f"{masks.shape[2]}x{masks.shape[1]}"


def check(dataset, looks):
    if dataset.space is None:
        return
    for row, sample in enumerate(dataset):
        wrong = fault(sample.label, dataset.space) if sample.label is not None else None
        if wrong is None and sample.label is not None and looks.seen[row]:
            wrong = misfit(sample.label, tuple(looks.size[row].tolist()))
        if wrong is not None:
            yield about_sample(dataset, row, wrong[0], value=wrong[1], drop=True, listing=True)

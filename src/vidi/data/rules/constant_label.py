"""Labels with nothing to learn."""

import numpy as np

from vidi.data.rules._base import about_all, class_table, value_table

SEVERITY = "warning"
MEANING = "All labeled samples are of one class, or a value or class is the same on all of them: there is nothing to learn."
FIX = "Add pictures of the other kind, or remove the column."


def check(dataset, looks):
    space = dataset.space
    table = class_table(dataset) if space is not None and space.family == "Classification" else value_table(dataset)
    if table is None:
        return
    if space.family == "Classification" and space.exclusive:
        present = np.flatnonzero(np.nansum(table, axis=0) > 0)
        if len(present) == 1:
            yield about_all(dataset, f"all samples are of class {space.names[present[0]]}", at=f"class {space.names[present[0]]}")
        return
    for index, name in enumerate(space.names):
        known = table[np.isfinite(table[:, index]), index]
        if len(known) > 1 and known.min() == known.max() and (space.family == "Regression" or known[0] > 0):
            yield about_all(dataset, f"{name} is {known[0]:g} on all samples", at=str(name), value=float(known[0]))

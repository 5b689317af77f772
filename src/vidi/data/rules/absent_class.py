"""Classes that a split, or all the data, lacks."""

import numpy as np

from vidi.data.rules._base import about_all, class_table, unit

SEVERITY = "warning"
MEANING = "A class is declared but has no sample (or box), or none in one of the splits: it cannot be learned, or not be checked."
FIX = "Add pictures of the class, correct its name, or split the data anew."


def check(dataset, looks):
    table = class_table(dataset, looks)
    if table is None:
        return
    there = np.nan_to_num(table) > 0
    splits = np.array(looks.splits)
    names = [split for split in ("train", "val", "test") if (splits == split).any()]
    for index, name in enumerate(dataset.space.names):
        if not there[:, index].any():
            yield about_all(dataset, f"class {name} has no {unit(dataset, 1)}", at=f"class {name}", value=0)
            continue
        lacking = [split for split in names if not there[splits == split, index].any()]
        if lacking:
            yield about_all(dataset, f"class {name} is missing from {' and '.join(lacking)}", at=f"class {name}", value=", ".join(lacking))

"""Classes with hardly any samples."""

import numpy as np

from vidi.data.rules._base import about_all, about_sample, class_table, unit

SEVERITY = "warning"
MEANING = "The class has fewer than 10 samples (its boxes or pixels are on fewer than 10 pictures). With a single sample and no split given, it cannot be both learned and checked: an error."
FIX = "Collect more pictures of the class, merge it with another, or remove it."


def check(dataset, looks):
    table = class_table(dataset, looks)
    if table is None:
        return
    unsplit, boxes, one_each = not any(looks.splits), unit(dataset) == "boxes", unit(dataset) == "samples"
    for index, name in enumerate(dataset.space.names):
        rows = np.flatnonzero(np.nan_to_num(table[:, index]) > 0)
        if len(rows) == 1 and dataset.space.exclusive and unsplit and len(dataset.space) > 1 and one_each:
            message = f"class {name} has a single sample and cannot be split"
            yield about_sample(dataset, int(rows[0]), message, value=1, drop=True, severity="error", listing=True)
        elif 0 < len(rows) < 10:
            many = f" ({int(np.nansum(table[:, index]))} boxes)" if boxes else ""
            message = f"class {name} has only {len(rows)} samples" if one_each else f"class {name} is on only {len(rows)} pictures{many}"
            yield about_all(dataset, message, at=f"class {name}", value=len(rows), related=rows)

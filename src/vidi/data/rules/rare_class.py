"""Classes with hardly any samples."""

import numpy as np

from vidi.data.rules._base import about_all, about_sample, class_table, unit

SEVERITY = "warning"
MEANING = "The class has fewer than 10 samples (its boxes are on fewer than 10 pictures). With a single sample and no split given, it cannot be both learned and checked: an error."
FIX = "Collect more pictures of the class, merge it with another, or remove it."


def check(dataset, looks):
    table = class_table(dataset)
    if table is None:
        return
    unsplit, boxes = not any(looks.splits), unit(dataset) == "boxes"
    for index, name in enumerate(dataset.space.names):
        rows = np.flatnonzero(np.nan_to_num(table[:, index]) > 0)
        if len(rows) == 1 and dataset.space.exclusive and unsplit and len(dataset.space) > 1 and not boxes:
            message = f"class {name} has a single sample and cannot be split"
            yield about_sample(dataset, int(rows[0]), message, value=1, drop=True, severity="error", listing=True)
        elif 0 < len(rows) < 10:
            many = f" ({int(np.nansum(table[:, index]))} boxes)" if boxes else ""
            message = f"class {name} {'is on' if boxes else 'has'} only {len(rows)} {'pictures' if boxes else 'samples'}{many}"
            yield about_all(dataset, message, at=f"class {name}", value=len(rows), related=rows)

"""Values far from all others."""

import numpy as np

from vidi.data.rules._base import about_sample, outlyingness, value_table

SEVERITY = "warning"
MEANING = "A value to be learned lies more than 8 robust standard deviations (by the median absolute deviation) from the median."
FIX = "Check for a typing error or another unit."


def check(dataset, looks):
    table = value_table(dataset)
    if table is None:
        return
    for index, name in enumerate(dataset.space.names):
        column = np.where(np.isfinite(table[:, index]), table[:, index], np.nan).astype(np.float64)
        known = column[~np.isnan(column)]
        if len(known) < 20 or np.median(np.abs(known - np.median(known))) == 0:
            continue
        far = outlyingness(column, 0.0)
        for row in np.flatnonzero(np.abs(np.nan_to_num(far)) > 8).tolist():
            message = f"{name} is {abs(far[row]):.0f} robust standard deviations from the median {np.median(known):g}"
            yield about_sample(dataset, row, message, at=str(name), value=float(column[row]), listing=True)

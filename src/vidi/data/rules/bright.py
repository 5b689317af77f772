"""Pictures far brighter than the rest."""

import numpy as np

from vidi.data.rules._base import about_sample, ordered, outlyingness

SEVERITY = "note"
MEANING = "Even the darkest parts are bright (5th percentile above 175 of 255), and far brighter than in the data set's other pictures."
FIX = "Check the exposure; remove the picture if nothing can be seen."


def check(dataset, looks):
    far = np.nan_to_num(outlyingness(looks.low, 12.0))
    rows = np.flatnonzero(looks.seen & (looks.spread >= 1.5) & (looks.low > 175) & (far > 3.5))
    for row in ordered(looks, rows, -looks.low):
        yield about_sample(dataset, row, "overexposed", value=f"95 % of pixels above {looks.low[row]:.0f} of 255")

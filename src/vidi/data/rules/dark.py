"""Pictures far darker than the rest."""

import numpy as np

from vidi.data.rules._base import about_sample, ordered, outlyingness

SEVERITY = "note"
MEANING = "Even the brightest parts are dark (95th percentile below 80 of 255), and far darker than in the data set's other pictures."
FIX = "Check the exposure; remove the picture if nothing can be seen."


def check(dataset, looks):
    far = np.nan_to_num(outlyingness(looks.high, 12.0))
    rows = np.flatnonzero(looks.seen & (looks.spread >= 1.5) & (looks.high < 80) & (far < -3.5))
    for row in ordered(looks, rows, looks.high):
        yield about_sample(dataset, row, "dark", value=f"95 % of pixels below {looks.high[row]:.0f} of 255")

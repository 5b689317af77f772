"""Pictures far less sharp than the rest."""

import numpy as np

from vidi.data.rules._base import about_sample, ordered, outlyingness

SEVERITY = "note"
MEANING = "The variance of the Laplacian over the variance, at 128 pixels, is below 0.015 and far below that of the data set's other pictures."
FIX = "Check the focus; remove the picture if the label cannot be seen."


def check(dataset, looks):
    large = looks.size.min(1) >= 32
    sharpness = np.where(large, looks.sharpness, np.nan)
    far = np.nan_to_num(outlyingness(sharpness, 0.15))
    rows = np.flatnonzero(looks.seen & large & (np.nan_to_num(sharpness, nan=0.0) < np.log10(0.015)) & (far < -3.5))
    for row in ordered(looks, rows, sharpness):
        yield about_sample(dataset, row, "blurred", value=f"sharpness {10 ** sharpness[row]:.2g}, usually {10 ** np.nanmedian(sharpness):.2g}")

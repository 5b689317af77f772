"""Pictures too small or too narrow to show anything."""

import numpy as np

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "The picture is less than 8 pixels high or wide, or more than 20 times as long as it is wide."
FIX = "Remove the picture, or cut long ones into pieces."


def check(dataset, looks):
    short, long = looks.size.min(1), looks.size.max(1)
    for row in np.flatnonzero(looks.seen & ((short < 8) | (long > 20 * short))).tolist():
        height, width = looks.size[row].tolist()
        yield about_sample(dataset, row, "too small" if short[row] < 8 else "extreme shape", value=f"{width}x{height}")

"""Pictures with nothing on them."""

import numpy as np

from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = "All pixels of the picture are practically of one gray level (standard deviation below 1.5 of 255)."
FIX = "Remove the picture, or export it again."


def check(dataset, looks):
    for row in np.flatnonzero(looks.seen & (looks.spread < 1.5) & (looks.size.prod(1) > 1)).tolist():
        yield about_sample(dataset, row, "blank", value=f"gray {looks.mean[row]:.0f}")

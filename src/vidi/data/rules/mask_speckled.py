"""Masks strewn with tiny parts."""

import numpy as np

from vidi.data._maps import SPECK
from vidi.data.rules._base import about_sample

SEVERITY = "warning"
MEANING = (
    "The mask has many connected parts of fewer than 10 pixels (20 or more, and a fifth of all parts), as thresholding, JPEG or scaling leave them: a net"
    " learns noise, and scores count it."
)
FIX = "Remove the small parts, or open and close the mask (erode and dilate by a pixel or two); export masks as PNG without smoothing."
FEWEST, SHARE = 20, 0.2


def check(dataset, looks):
    if dataset.space is None or dataset.space.family != "Segmentation":
        return
    maps = looks.maps
    many = np.flatnonzero((maps.specks >= FEWEST) & (maps.specks >= SHARE * maps.parts))
    for index in many[np.argsort(-maps.specks[many], kind="stable")].tolist():
        row, specks = int(maps.row[index]), int(maps.specks[index])
        message = f"{specks} of {maps.parts[index]} connected parts have fewer than {SPECK} pixels"
        yield about_sample(dataset, row, message, at=dataset[row].extra.get("file"), value=specks)

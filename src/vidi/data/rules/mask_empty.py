"""Masks that show nothing."""

import numpy as np

from vidi.data._maps import ground_of
from vidi.data.rules._base import about_all, about_sample

SEVERITY = "note"
MEANING = (
    "The mask holds nothing but background: such pictures are used as they stand. A warning where all of its pixels are marked as not known, as"
    " the picture then teaches nothing and is not scored."
)
FIX = "Nothing, if these pictures are meant as background; otherwise label them."


def check(dataset, looks):
    if dataset.space is None or dataset.space.family != "Segmentation":
        return
    maps, ground = looks.maps, ground_of(dataset.space)
    for row in maps.row[(maps.unknown > 0) & (maps.unknown == maps.size.prod(1))].tolist():
        fix = "Label the picture, or remove it."
        yield about_sample(dataset, row, "all pixels are marked as not known", at=dataset[row].extra.get("file"), severity="warning", drop=True, fix=fix)
    if ground is not None and len(dataset.space) > 1:
        only = (maps.pixels[:, ground] > 0) & (maps.pixels.sum(1) == maps.pixels[:, ground]) & np.array([not strange for strange in maps.strange], bool)
        rows = maps.row[only].tolist()
        if rows:
            yield about_all(dataset, f"{len(rows)} of {len(maps)} masks hold nothing but {dataset.space.names[ground]}", value=len(rows), related=rows)

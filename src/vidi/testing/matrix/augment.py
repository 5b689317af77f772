"""A grid of pictures and their augmented versions is written, and the versions differ from the originals."""

from __future__ import annotations

import numpy as np

import vidi
from vidi.core.images import decode
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

PICTURES, VERSIONS = 3, 2


def check(row: Row) -> Found:
    plain, changed = (row.folder().with_suffix(".png") for _ in range(2))
    data = row.few(8)
    vidi.augment(data, task=row.task_name, augment=[], count=PICTURES, versions=VERSIONS, out=str(plain))
    report = vidi.augment(data, task=row.task_name, count=PICTURES, versions=VERSIONS, out=str(changed))
    before, after = (decode(path, name=path.name) for path in (plain, changed))
    other = before.shape == after.shape and not np.array_equal(before, after)
    tall, wide = after.shape[:2]
    entries = len(report.about["augment"])
    return Found(other or not entries, f"{wide}×{tall} pixels, {entries} augmentations", {"height": tall, "width": wide, "augmentations": entries})

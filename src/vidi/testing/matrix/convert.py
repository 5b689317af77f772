"""Written in every format that can hold it and read again, the data is the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

import vidi
from vidi.core import discovery
from vidi.core.dataset import Dataset
from vidi.core.images import decode
from vidi.errors import InputError
from vidi.labels import Detections, Label
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

WHOLE = "csv"
"""The format that holds the labels of every task."""


def check(row: Row) -> Found:
    data = row.few(12)
    same: list[str] = []
    other: list[str] = []
    for name in discovery.names("data/writers"):
        try:
            again = vidi.convert(data, str(row.folder()), to=name, task=row.task_name)
        except InputError:
            if name == WHOLE:
                raise
            continue
        (same if _said(data) == _said(again) else other).append(name)
    words = f"{', '.join(same)} equal" + (f"; {', '.join(other)} differ" if other else "")
    return Found(WHOLE in same and not other, words, {"equal": len(same), "differ": len(other)})


def _said(data: Dataset) -> Counter[tuple[Any, ...]]:
    """What is said of each picture, by its pixels: split, and the label up to the precision of coordinates as shares of a side."""
    names = data.space.names if data.space is not None else ()
    found: Counter[tuple[Any, ...]] = Counter()
    for one in data:
        pixels = decode(one.inputs["image"], name=one.id)
        found[pixels.tobytes(), one.split, _rounded(one.label, names, pixels.shape[:2])] += 1
    return found


def _rounded(label: Label | None, names: tuple[str, ...], size: tuple[int, ...]) -> str:
    if not isinstance(label, Detections):
        return f"{names} {None if label is None else label.to_dict()}"
    outlined = label.masks is not None or label.outlines is not None
    bits = label.bitmaps((size[0], size[1])) if outlined else [None] * len(label)
    things = []
    for i in np.lexsort(np.round(label.boxes, 1).T):
        pixels = bits[i]
        mask = None if pixels is None else hash(pixels.tobytes())
        things.append((names[label.classes[i]], *np.round(label.boxes[i], 1).tolist(), None if label.tracks is None else int(label.tracks[i]), mask))
    return str(things)

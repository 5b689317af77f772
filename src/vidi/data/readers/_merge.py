"""Several data sets as one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data.readers._ask import Ask
from vidi.data.readers._scan import natural
from vidi.errors import DataError
from vidi.labels import Classification, Detections, Label, Segmentation


def merge(parts: list[tuple[str | None, Path, Dataset]], ask: Ask, file: Path) -> Dataset:
    """One data set out of parts that are each a split (None: as the part says); ids are relative to the data's folder.

    Raises:
        DataError: the parts' labels are of different kinds.
    """
    spaces = [data.space for _, _, data in parts if data.space is not None]
    space = _common(spaces, ask, file) if spaces else None
    root = os.path.realpath(ask.root or file.parent)
    samples: list[Sample] = []
    notes: list[str] = []
    seen: set[str] = set()
    for split, path, data in parts:
        move = _mover(data.space, space)
        prefix = _prefix(path, root)
        for sample in data:
            id = prefix + sample.id
            while id in seen:
                id += "#2"
            seen.add(id)
            samples.append(replace(sample, id=id, split=split or sample.split, label=move(sample.label) if sample.label is not None else None))
        notes += [f"{path.name}: {note}" for note in data.notes]
    return Dataset(samples, space, notes=notes, extra=next((data.extra for _, _, data in parts if data.extra), {}))


def _prefix(path: Path, root: str) -> str:
    """What makes ids that are relative to a folder relative to the root; listings' ids are so already."""
    if path.is_file():
        return ""
    relative = os.path.relpath(os.path.realpath(path), root)
    return "" if relative == "." else relative.replace(os.sep, "/") + "/"


def _common(spaces: list[Space], ask: Ask, file: Path) -> Space:
    first = spaces[0]
    for space in spaces[1:]:
        if (space.family, space.exclusive) != (first.family, first.exclusive):
            raise DataError("the splits have labels of different kinds", file=file, value=f"{first.family}, {space.family}")
        if first.family not in ("Classification", "Detections", "Segmentation") and space.names != first.names:
            raise DataError("the splits have different values", file=file, value=f"{', '.join(first.names)}; {', '.join(space.names)}")
    if all(space.names == first.names for space in spaces):
        return first
    names = ask.names or tuple(sorted({name for space in spaces for name in space.names}, key=natural))
    numbers = {name: number for space in reversed(spaces) for name, number in zip(space.names, space.ids)}
    ids = tuple(numbers[name] for name in names if name in numbers)
    return replace(first, names=names, ids=ask.ids or (ids if len(set(ids)) == len(names) else ()))


def _mover(old: Space | None, new: Space | None):
    """A function from labels of one meaning to labels of the other; equal labels stay shared."""
    if old is None or new is None or old == new:
        return lambda label: label
    columns = [new.names.index(name) for name in old.names]
    done: dict[int, Label] = {}

    def move(label: Classification | Detections | Segmentation) -> Label:
        if isinstance(label, (Detections, Segmentation)):
            return label.reindexed(np.asarray(columns, np.int64), len(new.names))
        moved = done.get(id(label))
        if moved is None:
            values = np.zeros(len(new.names), np.float32)
            values[columns] = label.probabilities
            moved = done[id(label)] = Classification(values)
        return moved

    return move

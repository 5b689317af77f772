"""COCO JSON: annotations/train.json, val.json and test.json (or all.json), pictures in images/."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from vidi.core.dataset import Dataset
from vidi.core.files import write_text
from vidi.data.readers.coco import UNASSIGNED
from vidi.data.writers._coco import Numbers, document, dump, rising
from vidi.data.writers._folder import by_split, expect, flat_names, new_folder, put_pictures, refuse
from vidi.data.writers._things import settled
from vidi.data.writers._yaml import write_yaml

MEANING = "COCO JSON in annotations/, pictures in images/; holds boxes, outlines, crowds, scores, tracks, texts and category ids"


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """All of it."""
    expect(dataset, "Detections", "coco")
    return settled(dataset), Counter()


def places(dataset: Dataset) -> list[str]:
    return flat_names(dataset.samples, by_split(dataset, "images", UNASSIGNED))


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures.

    Category ids are the source's (`Space.ids`), or the classes' indices; where they do not rise with the index, a ``data.yaml`` tells the
    classes' order. Boxes have the fewest digits that are read back exactly.

    Raises:
        DataError: labels that are no boxes, a box that is no number, or run lengths of another size than the picture's.
        ImageError: a picture whose size cannot be read.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "coco")
    where = places(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        splits = list(dict.fromkeys(sample.split for sample in data)) or [None]
        order = sorted(range(len(data)), key=lambda row: splits.index(data[row].split))
        numbers = Numbers(data.with_samples(data[row] for row in order))
        for split in splits:
            rows = [row for row in order if data[row].split == split]
            part = document(data.with_samples(data[row] for row in rows), [where[row] for row in rows], numbers, False)
            name = split or ("all" if splits == [None] else UNASSIGNED)
            write_text(target / "annotations" / f"{name}.json", dump(part))
        if data.space is not None and not rising(data.space):
            write_yaml(target / "data.yaml", data, {})
    return folder

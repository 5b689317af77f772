"""Run lengths as at Kaggle: runs.csv with a row per thing or per class, pictures in images/, and a data.yaml."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import atomic_write, csv_safe
from vidi.data.writers._folder import flat_names, new_folder, put_pictures, refuse
from vidi.data.writers._maps import expect_masks, plain_maps, plain_things
from vidi.data.writers._things import settled, size_of
from vidi.data.writers._yaml import write_yaml
from vidi.errors import DataError
from vidi.labels import Detections, Outline, Runs, Segmentation

MEANING = "run lengths as at Kaggle in runs.csv (ImageId, EncodedPixels, ClassId), pictures in images/; holds outlined things, overlapping or not, and class maps"

GROUND = "background"


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """Of things class and pixels; of class maps all but probabilities."""
    family, lost = expect_masks(dataset, "rle"), Counter[str]()
    return plain_maps(dataset, lost) if family == "Segmentation" else plain_things(settled(dataset), lost), +lost


def places(dataset: Dataset) -> list[str]:
    return flat_names(dataset.samples, ["images"] * len(dataset))


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures.

    Starts count from 1 and go down the columns. A class map has a row for each of its classes but the background, and one for pixels that
    are not known, whose class is the ``ignore`` of the data.yaml. A picture on which nothing is has a row without run lengths; one without
    a label a 0 in the column ``labeled``.

    Args:
        lossy: leave out what run lengths cannot hold.

    Raises:
        DataError: labels without pixels, a class map of another size than its picture, or something that run lengths cannot hold.
        ImageError: a picture whose size cannot be read.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "rle")
    where = places(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        write_yaml(target / "data.yaml", data, write_table(data, where, target / "runs.csv"))
    return folder


def write_table(data: Dataset, pictures: Sequence[str], file: Path) -> dict[str, Any]:
    """Write the table of a data set as `held` gives it; what a data.yaml must say of it.

    Args:
        pictures: what each sample's picture is called in it.
    """
    names = data.space.names if data.space is not None else ()
    maps = data.space is None or data.space.family == "Segmentation"
    unknown = _unknown(data) if maps else None
    columns = [key for key in ("split", "group") if any(getattr(sample, key) for sample in data)]
    columns += ["labeled"] if any(sample.label is None for sample in data) else []
    with atomic_write(file, "w") as stream:
        writer = csv.DictWriter(stream, ["ImageId", "EncodedPixels", "ClassId", *columns], restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for sample, picture in zip(data, pictures):
            own: dict[str, Any] = {"split": sample.split or "", "group": csv_safe(sample.group or ""), "labeled": int(sample.label is not None)}
            rows = [{"EncodedPixels": pairs(runs), "ClassId": unknown if kind is None else csv_safe(names[kind])} for kind, runs in _rows(sample, names)]
            writer.writerows({"ImageId": csv_safe(picture), **own, **row} for row in rows or [{}])
    values: dict[str, Any] = {"table": file.name, "image_column": "ImageId", "values": "classes" if maps else "instances"}
    return values if unknown is None else {**values, "ignore": unknown}


def _unknown(data: Dataset) -> int:
    """What rows of pixels are called of which nothing is known: a number that is no class."""
    space = data.space
    taken = {*(space.names if space is not None else ()), *map(str, space.ids if space is not None and space.ids else range(len(space or ())))}
    return next(value for value in range(255, 1 << 20) if str(value) not in taken)


def _rows(sample: Sample, names: tuple[str, ...]) -> Iterator[tuple[int | None, Runs]]:
    """Class and pixels of each row; the class None where nothing is known, unless no class is the background, which then goes without saying."""
    label = sample.label
    if isinstance(label, Detections):
        yield from ((int(kind), outline) for kind, outline in zip(label.classes, label.outlines or ()) if isinstance(outline, Runs))
    elif isinstance(label, Segmentation):
        if label.shape != size_of(sample):
            raise DataError("a class map of another size than its picture", file=sample.id, value=f"{label.shape[1]}x{label.shape[0]}")
        classes = label.classes
        for kind in np.unique(classes).tolist():
            if kind != label.ignore and names[kind] != GROUND:
                yield kind, Outline.of(classes == kind)
        if GROUND in names and (classes == label.ignore).any():
            yield None, Outline.of(classes == label.ignore)


def pairs(runs: Runs) -> str:
    """Starts from 1 and lengths, down the columns."""
    ends = np.cumsum(runs.counts)
    lengths = runs.counts[1::2]
    return " ".join(map(str, np.stack([ends[1::2] - lengths + 1, lengths], 1).ravel().tolist()))

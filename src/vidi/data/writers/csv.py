"""One table: a row per box (or per picture, for classes and numbers), pictures in images/, and a data.yaml."""

from __future__ import annotations

import csv as texts
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import atomic_write, csv_safe
from vidi.data.write import write as write_listing
from vidi.data.writers._folder import flat_names, new_folder, put_pictures, refuse
from vidi.data.writers._things import exact, settled, things_of
from vidi.data.writers._yaml import write_yaml
from vidi.data.writers.rle import held as run_lengths
from vidi.labels import Detections

MEANING = "a CSV table with a data.yaml, pictures in images/; holds boxes with all that belongs to them, classes, numbers, and class maps"

_BOX = ("xmin", "ymin", "xmax", "ymax")


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """All of it; of class maps all but probabilities."""
    if dataset.space is not None and dataset.space.family == "Segmentation":
        return run_lengths(dataset)
    return settled(dataset), Counter()


def places(dataset: Dataset) -> list[str]:
    return flat_names(dataset.samples, ["images"] * len(dataset))


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures.

    Of boxes there is a column for each side, with the fewest digits that are read back exactly, one for the class, and where any thing
    has it: score, crowd, track, text, outline and extra (the last two in JSON). A picture without things has a row with empty cells; one
    without a label a 0 in the column ``labeled``. Cells that a spreadsheet would run as formulas are guarded. Class maps are written as run lengths (see `vidi.data.writers.rle`).

    Raises:
        DataError: a box that is no number, or labels that do not fit into a table.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "csv")
    where = places(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        if data.space is None or data.space.family == "Detections":
            _write_boxes(data, where, target)
        else:
            files = [replace(s, inputs={**s.inputs, "image": target / place}) for s, place in zip(data, where)]
            write_listing(data.with_samples(files), target / "data.csv")
    return folder


def _write_boxes(data: Dataset, where: list[str], target: Path) -> None:
    columns = _columns(data)
    with atomic_write(target / "boxes.csv", "w") as file:
        writer = texts.DictWriter(file, ["path", *_BOX, "label", *columns], restval="", lineterminator="\n")
        writer.writeheader()
        for sample, place in zip(data, where):
            for row in _rows(sample, data):
                own = {"split": sample.split or "", "group": csv_safe(sample.group or ""), "labeled": str(int(sample.label is not None))}
                row = {"path": csv_safe(place), **row, **own}
                writer.writerow({key: value for key, value in row.items() if key in columns or key in ("path", *_BOX, "label")})
    write_yaml(target / "data.yaml", data, {"table": "boxes.csv", "image_column": "path"})


def _columns(data: Dataset) -> list[str]:
    """The columns beyond path, box and label that anything fills."""
    labels = [sample.label for sample in data if isinstance(sample.label, Detections) and len(sample.label)]
    filled = {
        "score": any((label.scores != 1).any() for label in labels),
        "crowd": any(label.crowd is not None and label.crowd.any() for label in labels),
        "track": any(label.tracks is not None for label in labels),
        "text": any(label.texts is not None for label in labels),
        "outline": any(label.outlines is not None for label in labels),
        "extra": any(any(things_of(sample)) for sample in data),
        "split": any(sample.split for sample in data),
        "group": any(sample.group for sample in data),
        "labeled": any(sample.label is None for sample in data),
    }
    return [name for name, any_filled in filled.items() if any_filled]


def _rows(sample: Sample, data: Dataset) -> list[dict[str, Any]]:
    label = sample.label
    if not isinstance(label, Detections) or not len(label):
        return [{}]
    names = data.space.names if data.space is not None else ()
    rows = []
    for i, note in enumerate(things_of(sample)):
        outline = label.outlines[i] if label.outlines is not None else None
        rows.append({
            **{side: exact(value) for side, value in zip(_BOX, label.boxes[i])},
            "label": csv_safe(names[int(label.classes[i])]),
            "score": exact(label.scores[i]),
            "crowd": int(label.crowd[i]) if label.crowd is not None else 0,
            "track": int(label.tracks[i]) if label.tracks is not None else "",
            "text": csv_safe(label.texts[i]) if label.texts is not None else "",
            "outline": json.dumps(outline.to_dict()) if outline is not None else "",
            "extra": json.dumps(note, ensure_ascii=False) if note else "",
        })  # fmt: skip
    return rows

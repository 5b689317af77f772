"""Writing a data set as a listing that is read back the same: a CSV (of class maps with run lengths), or COCO JSON for boxes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import atomic_write, csv_safe, write_text
from vidi.data.readers._scan import natural
from vidi.errors import DataError
from vidi.labels import Classification, Regression

RESERVED = ("path", "split", "group")


def write(dataset: Dataset, path: str | Path) -> Path:
    """Write a CSV with the columns path, the labels, and split and group where there are any; of boxes, a COCO JSON of the same name; of class
    maps, a CSV of run lengths with a ``.yaml``.

    Exclusive classes are one column ``label`` with the most probable class; several classes at once are a column each (1, 0, empty
    for unknown; shares as they are); numbers are a column each. An empty label cell is a missing label. Cells that a spreadsheet
    would run as formulas are guarded. Pictures stay where they are and are named relative to the file's folder. Where they lie
    outside of it, or a CSV alone would not be read back the same, a ``.yaml`` of the same name is written beside it.

    Args:
        dataset: its samples must be files.
        path: the CSV to write, whole or not at all.

    Returns:
        what to give to `read`: the CSV or JSON, or the ``.yaml`` where one was needed.

    Raises:
        DataError: a sample is no file, a class is called like another column, or a box is no number.
        ResourceError: the file cannot be written.
    """
    path = Path(path)
    home = Path(os.path.realpath(path.parent))
    files = [_file(sample) for sample in dataset]
    root = _root(files, home)
    if dataset.space is not None and dataset.space.family == "Detections":
        return _write_coco(dataset, path.with_suffix(".json"), files, root, home)
    if dataset.space is not None and dataset.space.family == "Segmentation":
        return _write_runs(dataset, path, files, root, home)
    header, rows = _labels(dataset)
    for name in header:
        if name in RESERVED:
            raise DataError("a class is called like a column of the listing", value=name, fix="rename the class")
    extra = [key for key in ("split", "group") if any(getattr(sample, key) for sample in dataset)]
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", *map(csv_safe, header), *extra])
        for sample, picture, cells in zip(dataset, files, rows):
            relative = os.path.relpath(picture, root).replace(os.sep, "/")
            writer.writerow([csv_safe(relative), *cells, *(csv_safe(getattr(sample, key) or "") for key in extra)])
    if root == home and _plain(dataset):
        return path
    return _write_yaml(dataset, path, root, header)


def _write_coco(dataset: Dataset, path: Path, files: list[Path], root: Path, home: Path) -> Path:
    """Boxes as one COCO document, with the split of each picture in it."""
    from vidi.data.writers._coco import Numbers, document, dump, rising
    from vidi.data.writers._things import settled

    data = settled(dataset)
    names = [os.path.relpath(file, root).replace(os.sep, "/") for file in files]
    write_text(path, dump(document(data, names, Numbers(data), True)))
    space = dataset.space
    values: dict[str, object] = {"path": "." if root == home else str(root), "table": path.name}
    if space is not None and not rising(space):
        values |= {"names": list(space.names), "ids": list(space.ids)}
    elif root == home:
        return path
    return _yaml(path.with_suffix(".yaml"), values)


def _write_runs(dataset: Dataset, path: Path, files: list[Path], root: Path, home: Path) -> Path:
    """Class maps as run lengths, and what they mean in a ``.yaml``."""
    from vidi.data.writers._yaml import write_yaml
    from vidi.data.writers.rle import held, write_table

    data = held(dataset)[0]
    values = write_table(data, [os.path.relpath(file, root).replace(os.sep, "/") for file in files], path)
    write_yaml(path.with_suffix(".yaml"), data, {"path": "." if root == home else str(root), **values})
    return path.with_suffix(".yaml")


def _file(sample: Sample) -> Path:
    file = sample.file
    if file is None:
        raise DataError("only pictures that are files can be listed", value=sample.id, fix="save the pictures first")
    return Path(os.path.realpath(file.parent)) / file.name


def _root(files: list[Path], home: Path) -> Path:
    """The listing's folder where all pictures lie in it, else the deepest folder that holds them all."""
    if all(file.is_relative_to(home) for file in files):
        return home
    return Path(os.path.commonpath([file.parent for file in files]))


def _labels(dataset: Dataset) -> tuple[list[str], list[list[str]]]:
    """Label columns and each sample's cells."""
    space = dataset.space
    if space is None:
        return [], [[] for _ in dataset]
    names = list(space.names)
    if space.family == "Classification" and space.exclusive:
        safe = [csv_safe(name) for name in names]
        return ["label"], [[safe[label.top] if isinstance(label, Classification) and label.top >= 0 else ""] for label in dataset.labels]
    if space.family == "Classification":
        return names, [_cells(label.probabilities if isinstance(label, Classification) else None, len(names)) for label in dataset.labels]
    if space.family == "Regression":
        return names, [_cells(label.values if isinstance(label, Regression) else None, len(names)) for label in dataset.labels]
    raise DataError(f"labels of the family {space.family} do not fit into a table", value=dataset.name)


def _cells(values: np.ndarray | None, count: int) -> list[str]:
    if values is None:
        return [""] * count
    return ["" if np.isnan(value) else str(int(value)) if value == int(value) else str(value) for value in values]


def _plain(dataset: Dataset) -> bool:
    """Whether the CSV alone tells the classes, their order and the kind of labels."""
    space = dataset.space
    if space is None:
        return True
    if space.family == "Classification" and space.exclusive:
        used = {space.names[label.top] for label in dataset.labels if isinstance(label, Classification) and label.top >= 0}
        looks_plain = not any(_number_like(name) or any(mark in name for mark in "|;[") for name in space.names)
        return looks_plain and list(space.names) == sorted(used, key=natural)
    known = [label for label in dataset.labels if isinstance(label, (Classification, Regression))]
    values = [label.probabilities if isinstance(label, Classification) else label.values for label in known]
    stacked = np.stack(values) if values else np.zeros((0, len(space)))
    hard = bool(((stacked == 0) | (stacked == 1) | np.isnan(stacked)).all())
    if space.family == "Classification":
        return len(space) > 1 and hard and not _called_label(space.names)
    return not hard and len(space) > 0 and not _called_label(space.names) and bool((stacked != np.round(stacked)).any())


def _number_like(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return name.strip() != name or name.casefold() in ("true", "false", "yes", "no")
    return not (name.isdigit() and name == str(int(name)))


def _called_label(names: tuple[str, ...]) -> bool:
    """Whether a column would be taken for something else than one label among several."""
    from vidi.data.readers._columns import CLASSES, GROUPS, PATHS, key

    return any(key(name) in (*CLASSES, *GROUPS, *PATHS) for name in names)


def _write_yaml(dataset: Dataset, path: Path, root: Path, header: list[str]) -> Path:
    """A data.yaml beside the CSV that names the pictures' folder, the columns and the classes."""
    space = dataset.space
    values: dict[str, object] = {"path": "." if root == Path(os.path.realpath(path.parent)) else str(root), "table": path.name, "image_column": "path"}
    if header:
        values["label_columns"] = header
    if space is not None and space.family == "Classification" and space.names:
        values["names"] = list(space.names)
    if space is not None:
        values["labels"] = "numbers" if space.family == "Regression" else "class" if space.exclusive else "classes"
    return _yaml(path.with_suffix(".yaml"), values)


def _yaml(target: Path, values: dict[str, object]) -> Path:
    import yaml

    write_text(target, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    return target

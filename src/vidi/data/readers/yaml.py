"""A data.yaml that says where the splits are, what the classes are called and how tables are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from vidi.core.dataset import Dataset
from vidi.core.files import parse_yaml, read_text
from vidi.data.readers import _cells, _mask_ask, boxes, masks, rle
from vidi.data.readers._ask import Ask
from vidi.data.readers._choose import choose, missing_path
from vidi.data.readers._merge import merge
from vidi.errors import DataError, nearest

MEANING = "a data.yaml with path, train, val, test (folders, tables or listings), names, and what masks mean"
PRIORITY = 90

KEYS = {
    "path": "the data's folder, relative to the file (or one table or folder of everything)",
    "train": "folders, tables or listings of the training samples, relative to path",
    "val": "the same for validation",
    "test": "the same for test",
    "table": "a table or listing of everything, with a split column or without",
    "names": "class names by index: a list, or a table of index: name",
    "nc": "number of classes, checked against names",
    "ids": "the number each class has elsewhere, such as COCO's category id: a list of whole numbers in the order of names",
    "task": "the task the data is for",
    "labels": "how label columns are read: class, classes or numbers",
    "image_column": "the table column that names the picture",
    "label_columns": "the table columns that are labels",
    "separator": "what separates the classes in a list column",
    "group_column": "the table column whose samples stay in one split",
    **_mask_ask.KEYS,
    "licence": "not read",
    "license": "not read",
    "source": "not read",
    "description": "not read",
    "download": "not read, and never run",
    "roboflow": "not read",
}
_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def matches(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml") if path.is_file() else _inside(path) is not None


def _inside(folder: Path) -> Path | None:
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)


def read(path: Path, ask: Ask) -> Dataset:
    """The data set that the file describes.

    A file that was found in a folder may only lead to what lies in that folder; one that was named may name any ``path``.
    """
    found = path.is_dir()
    file = _inside(path) if found else path
    if file is None:
        raise DataError("no data.yaml in the folder", file=path)
    text = read_text(file, 1 << 24)
    values, spelled = _parse(text, file)
    root, notes = _root(values, file, found)
    ask = _settled(ask, values, spelled, root, file)
    splits: list[tuple[str | None, str]] = [(split, item) for split in ("train", "val", "test") for item in _listed(values, split, file)]
    whole = _listed(values, "table", file)
    if whole and splits:
        raise DataError("either table, or train, val and test", file=file, at="table")
    if not whole and not splits:
        name, reader = _reader(root, ask)
        data = reader.read(root, ask)
        data.notes.insert(0, f"{file.name}: read as {name}")
    else:
        items = splits or [(None, item) for item in whole]
        parts = [(split, _existing(item, root, file, split or "table")) for split, item in items]
        data = _parts(parts, replace(ask, root=root if root.is_dir() else root.parent), file)
    data.notes += notes
    return data


def _parse(text: str, file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The file's values, and the same with every plain value as text."""
    values = parse_yaml(text, file)
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise DataError("a data.yaml is a table of `key: value` lines", file=file, fix=f"keys: {', '.join(KEYS)}")
    for key in values:
        if key not in KEYS:
            close = nearest(key, KEYS)
            raise DataError("unknown key", file=file, at=key, fix=f"did you mean {', '.join(close)}?" if close else f"keys: {', '.join(KEYS)}")
    return values, parse_yaml(text, file, as_text=True)


def _root(values: dict[str, Any], file: Path, found: bool) -> tuple[Path, list[str]]:
    given = values.get("path")
    if given is None or given == "":
        return file.parent, []
    if not isinstance(given, str):
        raise DataError("path must be text", file=file, at="path", value=given)
    root = file.parent / Path(given).expanduser()
    if not root.exists():
        error = missing_path(root)
        error.at = "path"
        raise error
    if os.path.realpath(root) == os.path.realpath(file.parent):
        return file.parent, []
    if Path(os.path.realpath(root)).is_relative_to(os.path.realpath(file.parent)):
        return root, []
    if found:
        raise DataError(
            "path leads outside the folder", file=file, at="path", value=given, fix=f"name the file itself to allow that: {file}"
        )
    return root, [f"the data lies in {root.resolve()}"]


def _settled(ask: Ask, values: dict[str, Any], spelled: dict[str, Any], root: Path, file: Path) -> Ask:
    """The ask with what the file says; what the caller wants goes first."""
    want = ask.want
    task = _text(values, "task", file)
    if want is None and task is not None:
        from vidi.core.discovery import is_path, load, member

        if is_path(task):
            raise DataError("a data.yaml names a task of vidi, never code", file=file, at="task", value=task, fix=f"remove it, and give task={task} by hand")
        want = member(load("tasks", task), "task", "tasks")
    names = _class_names(spelled, file)
    count = values.get("nc")
    if count is not None and names is not None and count != len(names):
        raise DataError("nc does not agree with names", file=file, at="nc", value=f"{count}, {len(names)} names")
    columns = _listed(values, "label_columns", file)
    kind = _text(values, "labels", file)
    if kind not in (None, "class", "classes", "numbers"):
        raise DataError("no such kind of labels", file=file, at="labels", value=kind, fix="class, classes or numbers")
    return replace(
        ask,
        want=want,
        names=names,
        ids=_class_ids(values, names, file),
        image_column=_text(values, "image_column", file),
        label_columns=tuple(columns) or None,
        group_column=_text(values, "group_column", file),
        separator=_text(values, "separator", file),
        labels=kind,
        masks=_mask_ask.parse(values, names, file),
    )


def _text(values: dict[str, Any], key: str, file: Path) -> str | None:
    value = values.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise DataError("must be text", file=file, at=key, value=value, fix=KEYS[key])
    return value


def _listed(values: dict[str, Any], key: str, file: Path) -> list[str]:
    value = values.get(key)
    items = [] if value is None else value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, str) or not item:
            raise DataError("must be text, or a list of texts", file=file, at=key, value=item, fix=KEYS[key])
    return items


def _class_names(spelled: dict[str, Any], file: Path) -> tuple[str, ...] | None:
    """Class names by index, as they are spelled in the file."""
    names = spelled.get("names")
    if names is None or names in ("", "null", "~"):
        return None
    if isinstance(names, dict):
        try:
            numbered = {int(key): name for key, name in names.items()}
        except ValueError:
            raise DataError("names by index need whole numbers as keys", file=file, at="names", fix="0: first, 1: second, …") from None
        if sorted(numbered) != list(range(len(numbered))):
            raise DataError("names must be numbered from 0 without gaps", file=file, at="names", value=", ".join(map(str, sorted(numbered)[:10])))
        names = [numbered[i] for i in range(len(numbered))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise DataError("names must be a list of class names", file=file, at="names", value=names)
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError("two classes have one name", file=file, at="names", value=", ".join(twice))
    return tuple(names)


def _class_ids(values: dict[str, Any], names: tuple[str, ...] | None, file: Path) -> tuple[int, ...] | None:
    ids = values.get("ids")
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(isinstance(number, int) and not isinstance(number, bool) for number in ids):
        raise DataError("ids must be a list of whole numbers", file=file, at="ids", value=ids)
    if names is None or len(ids) != len(names) or len(set(ids)) < len(ids):
        raise DataError("ids must be as many as names, each once", file=file, at="ids", value=f"{len(ids)} ids, {len(names or ())} names")
    return tuple(ids)


def _existing(item: str, root: Path, file: Path, at: str) -> Path:
    """A split's folder or file: inside the data's folder, or beside the data.yaml.

    Roboflow's exports name ``../train/images`` what lies in ``train/images``.
    """
    base = root if root.is_dir() else root.parent
    inner = item.removeprefix("../")
    if inner != item and not (base / item).exists() and (base / inner).exists():
        item = inner
    for folder in (base, file.parent):
        path = folder / item
        if path.exists():
            real = Path(os.path.realpath(path))
            if not any(real.is_relative_to(os.path.realpath(allowed)) for allowed in (base, file.parent)):
                raise DataError("leads outside the data's folder", file=file, at=at, value=item, fix=f"name something in {base}")
            return path
    error = missing_path(base / item)
    raise DataError("no such file or folder", file=file, at=at, value=item, fix=error.fix)


def _reader(path: Path, ask: Ask) -> tuple[str, ModuleType]:
    """The reader for a folder or file that the data.yaml names; where it names the folder of masks, that of masks."""
    if ask.masks.masks is not None and path.is_dir():
        return "masks", masks
    return choose(path, without=("yaml",), want=ask.want)


def _parts(parts: list[tuple[str | None, Path]], ask: Ask, file: Path) -> Dataset:
    """The parts as one data set; tables are joined before their columns are looked at."""
    if all(path.is_file() and path.suffix.lower() in _cells.SUFFIXES_READ for _, path in parts):
        loaded = [(split, _cells.load(path, ask)) for split, path in parts]
        cells = _cells.join(loaded) if len(loaded) > 1 or loaded[0][0] else loaded[0][1]
        return (rle if ask.columns is None and rle.holds_runs(cells) else boxes).assemble(cells, ask)
    read_parts: list[tuple[str | None, Path, Dataset]] = []
    for split, path in parts:
        name, reader = _reader(path, ask)
        own: Callable[[Path, Ask], Dataset] = reader.read
        data = own(path, replace(ask, root=None) if path.is_dir() else ask)
        data.format = name
        read_parts.append((split, path, data))
    return merge(read_parts, ask, file)

"""Class folders, with or without train, val and test folders on top; or a folder of pictures without classes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from vidi.core.dataset import Dataset, Sample
from vidi.data.readers._ask import Ask, listed
from vidi.data.readers._labels import shared_labels
from vidi.data.readers._scan import SPLITS, Scan, hidden, is_picture, natural, scan
from vidi.errors import DataError, nearest

MEANING = "a folder per class, or train/val/test folders of class folders, or pictures without classes"
PRIORITY = 10

_PLAIN = frozenset({"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "jpg", "jpeg", "png", "data", "unlabeled"})


def matches(path: Path) -> bool:
    return path.is_dir() and _any_picture(path)


def _any_picture(path: Path) -> bool:
    """Whether a picture lies in the folder or below."""
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not hidden(name)]
        if any(is_picture(name) and not hidden(name) for name in files):
            return True
        if any(os.path.islink(os.path.join(folder, name)) for name in folders):
            return True
    return False


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in natural order of their names; classes likewise, or in the order a ``data.yaml`` gives."""
    found = scan(path, ask.faults)
    notes: list[str] = []
    prefix = _wrapper(found, notes)
    split_of, depth = _layout(found, prefix, notes)
    classes = [_class(name, split_of, len(prefix), depth) for name in found.pictures]
    splits = [split_of.get(_part(name, len(prefix)), None) if depth else None for name in found.pictures]
    keep = list(range(len(classes)))
    if depth:
        keep = [i for i, name in enumerate(found.pictures) if splits[i] is not None]
        _note_left_out(found, keep, notes)
    names = sorted({name for i in keep if (name := classes[i]) is not None}, key=natural)
    if len(names) == 1 and names[0].casefold() in _PLAIN and not ask.names:
        notes.append(f"{names[0]} is the only folder: its pictures are read without classes")
        classes, names = [None] * len(classes), []
    _refuse_twins(names, path, ask)
    order = _order(names, classes, found, path, ask)
    space, labels = shared_labels(order, ask, file=path) if order else (None, [])
    index = {name: i for i, name in enumerate(order)}
    for name in [] if order else found.others:
        if name.lower().endswith(".json") and "annotations" in name.casefold():
            ask.faults.add("annotations that are not COCO, and nothing else gives labels", file=path / name, fix="repair the file, or move it elsewhere")
    base = str(path) + "/"
    samples = [
        Sample(
            found.pictures[i],
            {"image": Path(base + found.pictures[i])},
            labels[index[name]] if name is not None else None,
            splits[i],
        )
        for i in keep
        if (name := classes[i]) is None or name in index
    ]
    if not samples and not ask.faults:
        raise DataError("the folder holds no pictures", file=path, fix="see `vidi list formats` for what can be read")
    _note_folders(found, prefix, split_of, depth, order, samples, notes)
    return Dataset(samples, space, notes=notes)


def _part(name: str, skip: int) -> str:
    return name[skip:].partition("/")[0] if "/" in name[skip:] else ""


def _wrapper(found: Scan, notes: list[str]) -> str:
    """Folders on top that hold everything and no picture of their own (as archives make them): ``data/`` of ``data/cat/1.jpg``."""
    prefix = ""
    while True:
        tops = {_part(name, len(prefix)) for name in found.pictures}
        if len(tops) != 1 or "" in tops:
            break
        top = tops.pop()
        deeper = prefix + top + "/"
        if top.casefold() in SPLITS or any("/" not in name[len(deeper) :] for name in found.pictures):
            break
        prefix = deeper
    if prefix:
        notes.append(f"the classes lie below {prefix}")
    return prefix


def _layout(found: Scan, prefix: str, notes: list[str]) -> tuple[dict[str, str], bool]:
    """Split by top folder, and whether the top folders are splits."""
    tops = {_part(name, len(prefix)) for name in found.pictures} - {""}
    known = {top: SPLITS[top.casefold()] for top in tops if top.casefold() in SPLITS}
    if tops and (len(known) == len(tops) or "train" in known.values() or len(known) > 1):
        notes.append(f"splits by folder: {', '.join(f'{top} → {split}' if top != split else top for top, split in sorted(known.items()))}")
        return known, True
    return {}, False


def _class(name: str, split_of: dict[str, str], skip: int, deep: bool) -> str | None:
    rest = name[skip:]
    if deep:
        top, _, rest = rest.partition("/")
        if top not in split_of:
            return None
    return rest.partition("/")[0] if "/" in rest else None


def _note_left_out(found: Scan, keep: list[int], notes: list[str]) -> None:
    kept = set(keep)
    left = [name for i, name in enumerate(found.pictures) if i not in kept]
    if left:
        notes.append(f"{len(left)} pictures outside the split folders were not read: {listed(left, 3)}")


def _refuse_twins(names: list[str], path: Path, ask: Ask) -> None:
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            ask.faults.add("class names differ only in case", file=path, value=f"{other}, {name}", fix="put both into one folder")


def _order(names: list[str], classes: list[str | None], found: Scan, path: Path, ask: Ask) -> list[str]:
    """Class names by index; with given names, folders of other names are faults."""
    if ask.names is None or not names:
        return names
    for name in names:
        if name not in ask.names:
            close = nearest(name, ask.names)
            count = sum(other == name for other in classes)
            ask.faults.add(
                f"class folder with {count} pictures is not among the names", file=path, value=name,
                fix=f"did you mean {', '.join(close)}?" if close else "add it to names",
            )  # fmt: skip
    return list(ask.names)


def _note_folders(
    found: Scan, prefix: str, split_of: dict[str, str], deep: bool, order: list[str], samples: list[Sample], notes: list[str]
) -> None:
    """Say which class folders are empty, which files are no pictures, and which pictures have no class."""
    level = 1 if deep else 0
    filled = {name.rpartition("/")[0] for name in found.pictures}
    filled |= {"/".join(folder.split("/")[:i]) for folder in filled for i in range(1, folder.count("/") + 1)}
    folders = [name for name in found.folders if name.startswith(prefix) and name[len(prefix) :].count("/") == level]
    empty = [name for name in folders if name not in filled and (not deep or _part(name, len(prefix)) in split_of)]
    if empty and order:
        notes.append(f"class folders without pictures: {listed(empty)}")
    if deep and order:
        by_split: dict[str, Counter] = {}
        for sample in samples:
            if sample.label is not None:
                by_split.setdefault(sample.split or "", Counter())[_class(sample.id, split_of, len(prefix), True)] += 1
        for split, counts in by_split.items():
            lacking = [name for name in order if name not in counts]
            if lacking:
                notes.append(f"no picture in {split} of: {listed(lacking)}")
    unlabeled = sum(sample.label is None for sample in samples)
    if unlabeled and order:
        notes.append(f"{unlabeled} pictures outside class folders have no label")
    if len(order) == 1:
        notes.append(f"only one class: {order[0]}")
    if found.others:
        notes.append(f"{len(found.others)} files are no pictures by their name and were not read: {listed(found.others, 3)}")

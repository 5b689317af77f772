"""Pascal VOC: an XML file per picture, in Annotations beside JPEGImages, or beside the pictures."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import read_text
from vidi.core.space import Space
from vidi.data.readers import _xml
from vidi.data.readers._ask import Ask, Faults, listed
from vidi.data.readers._scan import Files, Scan, hidden, is_picture, natural, scan
from vidi.data.readers._things import Things, split_word
from vidi.data.readers._xml import Element
from vidi.errors import DataError, InputError, nearest

MEANING = "Pascal VOC XML files in Annotations/ with JPEGImages/ and ImageSets/Main/*.txt, or beside the pictures"
PRIORITY = 82

_PICTURES = {"annotations": ("JPEGImages", "images", "Images", "imgs", "img"), "labels": ("images",), "xml": ("images",), "xmls": ("images",)}
_SETS = ("train", "val", "test", "trainval")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_NAMES = ("classes.txt", "labels.txt")
_ENOUGH = 10_000
"""So many files are passed in the search for an XML file."""


def matches(path: Path) -> bool:
    if not path.is_dir():
        return False
    return all((path / name).is_dir() for name in ("Annotations", "JPEGImages")) or _first_xml(path) is not None


def _first_xml(path: Path) -> str | None:
    """One of the first XML files of the folder, if it is an annotation."""
    looked = passed = 0
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not hidden(name))
        passed += len(files)
        for name in sorted(files):
            if name.lower().endswith(".xml") and not hidden(name):
                if _looks(os.path.join(folder, name)):
                    return name
                looked += 1
                if looked > 5:
                    return None
        if passed > _ENOUGH:
            break
    return None


def _looks(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            head = file.read(1 << 12).replace(b"\0", b"")  # of UTF-16, what is ASCII stays
    except OSError:
        return False
    return b"<annotation" in head


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in natural order of the pictures' names; classes in natural order too, unless ``classes.txt`` or a ``data.yaml`` lists them.

    A box's numbers count pixels from 1 and name its first and last, so it reaches from xmin − 1 to xmax. A picture without an XML file
    has no label; one whose file has no object has an empty label. A picture whose file cannot be used is left out.
    """
    found = scan(path, ask.faults)
    files = Files(path)
    notes: list[str] = []
    annotated = _pairs(found, path, files, ask.faults, notes)
    splits, used = _splits(found, path, ask.faults, notes)
    samples: list[Sample] = []
    names: dict[str, int] = {}
    lines: dict[str, tuple[Path, int]] = {}
    for name in found.pictures:
        split = splits.get(_stem(name)) if used else _folder_split(name)
        sample = Sample(name, {"image": path / name}, split=split)
        if name in annotated:
            file = path / annotated[name][0]
            try:
                things, more = _things(annotated[name][1], file, names, lines, ask.faults)
            except DataError as error:
                ask.faults.add_error(error, file=file)
                continue
            if things is None:
                continue
            sample.label = things.label()
            sample.extra = {"file": str(file), **more, **things.extra()}
        samples.append(sample)
    space = _settle(samples, names, lines, path, ask)
    if not samples and not ask.faults:
        raise DataError("no pictures", file=path)
    unlabeled = sum(sample.label is None for sample in samples)
    if unlabeled:
        notes.append(f"{unlabeled} pictures have no XML file: they are unlabeled")
    loose = sum(sample.split is None for sample in samples)
    if used and loose:
        notes.append(f"{loose} pictures stand in none of the sets")
    return Dataset(samples, space if unlabeled < len(samples) else None, notes=notes)


def _stem(name: str) -> str:
    return os.path.splitext(name.rpartition("/")[2])[0]


def _folder_split(name: str) -> str | None:
    return next((split for part in name.split("/")[:-1] if (split := split_word(part))), None)


def _pairs(found: Scan, path: Path, files: Files, faults: Faults, notes: list[str]) -> dict[str, tuple[str, Element]]:
    """By picture: the name and root of its XML file. A file belongs to the picture of its own name, else to the one it names."""
    by_place = {os.path.splitext(name)[0]: name for name in reversed(found.pictures)}
    pairs: dict[str, tuple[str, Element]] = {}
    other = 0
    for name in found.others:
        if not name.lower().endswith(".xml"):
            continue
        try:
            root = _xml.load(path / name)
        except InputError as error:
            faults.add_error(error, file=path / name)
            pairs |= {picture: (name, Element("faulty", 0)) for place in _places(name) if (picture := by_place.get(place))}
            continue
        if root.tag != "annotation":
            other += 1
            continue
        picture = next((by_place[place] for place in _places(name) if place in by_place), None) or _named(root, name, path, files, faults)
        if picture is None:
            continue
        if picture in pairs:
            faults.add("two XML files of one picture", file=path / name, value=pairs[picture][0], fix="remove one of the two")
        pairs[picture] = (name, root)
    if other:
        notes.append(f"{other} XML files are no annotations")
    return pairs


def _places(name: str) -> list[str]:
    """Where the picture of an XML file may lie, without its ending."""
    stem = name[: -len(".xml")]
    parts = stem.split("/")
    places = [stem]
    for i, part in enumerate(parts[:-1]):
        for folder in _PICTURES.get(part.casefold(), ()):
            places.append("/".join([*parts[:i], folder, *parts[i + 1 :]]))
            places.append("/".join([*parts[:i], *parts[i + 1 :]]))
    return places


def _named(root: Element, name: str, path: Path, files: Files, faults: Faults) -> str | None:
    """The picture that an XML file names, by the rules for names in untrusted files."""
    element = root.first("filename")
    given = element.text.strip() if element else ""
    folders = [place.rpartition("/")[0] for place in _places(name)]
    for folder in dict.fromkeys([*folders, ""]):
        full = f"{folder}/{given}" if folder else given
        if given and not os.path.isabs(given) and is_picture(given) and files.look(full) is not None:
            return os.path.normpath(full).replace(os.sep, "/")
    error = files.why_not(given, path / name, f"line {element.line if element else root.line}")
    faults.add(f"no picture of this file: {error.rule}", file=path / name, at=error.at, value=given or None, fix=error.fix)
    return None


def _things(
    root: Element, file: Path, names: dict[str, int], lines: dict[str, tuple[Path, int]], faults: Faults
) -> tuple[Things | None, dict[str, Any]]:
    """The objects of one file; None when something in it is a fault."""
    if root.tag == "faulty":
        return None, {}
    things, before = Things(), len(faults)
    for element in root.all("object"):
        try:
            name = _text(element, "name", element)
            box = _box(element)
        except DataError as error:
            faults.add_error(error, file=file)
            continue
        lines.setdefault(name, (file, element.line))
        note = {child.tag: child.value() for child in element.children if child.tag not in ("name", "bndbox", "part")}
        things.add(box, names.setdefault(name, len(names)), f"line {element.line}", note=note)
    more: dict[str, Any] = {}
    size = root.first("size")
    if size is not None:
        sides = [child.value() if (child := size.first(key)) else None for key in ("height", "width")]
        if all(isinstance(side, int) and side > 0 for side in sides):
            more["size"] = sides
    about = {child.tag: child.value() for child in root.children if child.tag not in ("object", "size", "filename", "path")}
    if about:
        more["picture"] = about
    return (things if len(faults) == before else None), more


def _text(parent: Element, tag: str, owner: Element) -> str:
    child = parent.first(tag)
    if child is None or not child.text.strip():
        raise DataError(f"an object without {tag}", at=f"line {owner.line}")
    return child.text.strip()


def _box(element: Element) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 with the origin at the outer corner of the first pixel."""
    bounds = element.first("bndbox")
    if bounds is None:
        raise DataError("an object without bndbox", at=f"line {element.line}")
    values = []
    for side in _SIDES:
        text = _text(bounds, side, bounds)
        try:
            values.append(float(text) if "_" not in text else float("x"))
        except ValueError:
            raise DataError(f"{side} is no number", at=f"line {bounds.first(side).line}", value=text) from None  # type: ignore[union-attr]
    x1, y1, x2, y2 = (value if math.isfinite(value) else math.nan for value in values)
    return x1 - 1, y1 - 1, x2, y2


def _splits(found: Scan, path: Path, faults: Faults, notes: list[str]) -> tuple[dict[str, str], bool]:
    """Split by the picture's name without ending, and whether there are any sets."""
    home = next((name for name in found.folders if name == "ImageSets/Main" or name.endswith("/ImageSets/Main")), None)
    known = {_stem(name) for name in found.pictures}
    splits: dict[str, str] = {}
    used: list[str] = []
    for name in _SETS:
        file = path / (home or "") / f"{name}.txt"
        if home is None or not file.is_file():
            continue
        used.append(name)
        for i, line in enumerate(read_text(file, 1 << 26).splitlines(), 1):
            text = line.strip()
            if not text:
                continue
            stem = text if text in known else text.split()[0]
            split = "train" if name == "trainval" else name
            if stem not in known:
                faults.add("no picture of this name", file=file, at=f"line {i}", value=text)
            elif name == "trainval":
                splits.setdefault(stem, split)
            elif splits.setdefault(stem, split) != split:
                faults.add(f"stands in {splits[stem]} and in {split}", file=file, at=f"line {i}", value=text)
    if used:
        notes.append(f"splits: {home}/{listed(f'{name}.txt' for name in used)}")
    return splits, bool(used)


def _settle(samples: list[Sample], names: dict[str, int], lines: dict[str, tuple[Path, int]], path: Path, ask: Ask) -> Space:
    """Give classes their order, and labels the numbers that follow from it."""
    given = list(ask.names) if ask.names else _listed_names(path)
    order = given if given is not None else sorted(names, key=natural)
    unknown = [name for name in names if name not in order]
    for name in unknown:
        file, line = lines[name]
        close = nearest(name, order)
        ask.faults.add("unknown class", file=file, at=f"line {line}", value=name, fix=f"did you mean {', '.join(close)}?" if close else "add it to names")
    places = np.array([order.index(name) if name in order else -1 for name in names], np.int64)
    kept = []
    for sample in samples:
        if sample.label is not None and len(sample.label):  # type: ignore[arg-type]
            label = sample.label.reindexed(places, len(order))
            if (label.classes < 0).any():  # type: ignore[attr-defined]
                continue
            sample = replace(sample, label=label)
        kept.append(sample)
    samples[:] = kept
    ids = ask.ids if ask.ids and ask.ids != tuple(range(len(ask.ids))) else ()
    return Space("Detections", tuple(order), ids=ids)


def _listed_names(path: Path) -> list[str] | None:
    for name in _NAMES:
        file = path / name
        if file.is_file():
            names = [line.strip() for line in read_text(file, 1 << 24).splitlines() if line.strip()]
            if len(set(names)) < len(names):
                raise DataError("two classes have one name", file=file, value=next(n for n in names if names.count(n) > 1))
            return names or None
    return None

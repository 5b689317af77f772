"""YOLO's text files: one per picture, a line per thing with its class and place in shares of the picture's sides."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import read_text
from vidi.core.images import picture_size
from vidi.core.space import Space
from vidi.data.readers._ask import Ask, Faults, listed
from vidi.data.readers._scan import Files, hidden, is_picture, scan
from vidi.data.readers._things import Things, split_word
from vidi.errors import DataError, InputError
from vidi.labels import Detections, Polygons

MEANING = "YOLO text files in labels/ beside images/ (or beside each picture), with classes.txt or a data.yaml"
PRIORITY = 78

NAMES = ("classes.txt", "obj.names", "classes.names", "labels/classes.txt")
MOST_CLASSES = 10_000
"""A larger class number without names is a fault."""

_LIMIT = 1 << 26
_ENOUGH = 10_000
"""So many files are passed in the search for a label file beside a picture."""


@dataclass(slots=True)
class _Entry:
    """A picture by the name it gets in the data set, and by its name and its label's below the base; its file where it is known."""

    id: str
    picture: str
    label: str
    split: str | None = None
    line: int | None = None
    file: Path | None = None


def matches(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in (".txt", ".lst") and _is_listing(path)
    return path.is_dir() and (_above(path) is not None or any(_has_labels(folder) for folder in _label_folders(path)) or _beside(path))


def _above(path: Path) -> Path | None:
    """The folder that holds ``images`` and ``labels``, for a folder in (or called) ``images``."""
    full = Path(os.path.realpath(path))
    for folder in (full, *full.parents):
        if folder.name == "images":
            mirrored = folder.parent / "labels" / full.relative_to(folder)
            return folder.parent if mirrored.is_dir() and _has_labels(mirrored) else None
    return None


def _label_folders(path: Path) -> Iterator[Path]:
    """``labels`` beside ``images``, in the folder or one or two below."""
    for folder, folders, _ in os.walk(path):
        depth = os.path.relpath(folder, path).count(os.sep) + (folder != str(path))
        folders[:] = sorted(name for name in folders if not hidden(name)) if depth < 2 else []
        if (Path(folder) / "images").is_dir() and (Path(folder) / "labels").is_dir():
            yield Path(folder) / "labels"


def _has_labels(folder: Path) -> bool:
    """Whether a folder holds label files, by the first of them."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not hidden(name))
        texts = sorted(name for name in files if name.lower().endswith(".txt") and name not in NAMES and not hidden(name))
        if texts:
            return any(_looks(Path(place) / name, True) for name in texts[:20])
    return False


def _beside(path: Path) -> bool:
    """Whether pictures have label files beside them."""
    looked = passed = 0
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not hidden(name))
        passed += len(files)
        stems = {os.path.splitext(name)[0] for name in files if is_picture(name)}
        for name in sorted(files):
            if name.lower().endswith(".txt") and name[:-4] in stems:
                if _looks(Path(place) / name, False):
                    return True
                looked += 1
        if looked > 20 or passed > _ENOUGH:
            break
    return False


def _looks(file: Path, empty: bool) -> bool:
    """Whether a text file begins as labels do: with a line of numbers; or, where `empty` allows, holds nothing."""
    if not file.is_file():
        return False
    try:
        with open(file, "rb") as stream:
            fields = stream.read(1 << 12).split(b"\n")[0].split()
        return len([float(part) for part in fields]) >= 4 if fields else empty and file.stat().st_size < 3
    except (OSError, ValueError):
        return False


def _is_listing(path: Path) -> bool:
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            first = next((line.strip() for line in file if line.strip()), "")[:4096]
        name = _label_name(first.removeprefix("./"))
        return is_picture(first) and "/images/" in f"/{first}" and not os.path.isabs(first) and (path.parent / name).parent.is_dir()
    except (OSError, ValueError):
        return False


def _label_name(picture: str) -> str:
    """The name of a picture's label file: ``labels`` for the last ``images``, and ``.txt``."""
    parts = picture.split("/")
    places = [i for i, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return os.path.splitext("/".join(parts))[0] + ".txt"


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in natural order of their names (of a listing: of its lines).

    A picture without a label file has no label; one with an empty label file has an empty label. A picture whose label file has a line
    that cannot be used is left out whole. Classes that nobody names are called by their numbers.
    """
    notes: list[str] = []
    base, entries = _listing(path, ask) if path.is_file() else _folder(path, ask, notes)
    files = Files(base)
    names = list(ask.names) if ask.names else _names(base, path)
    most = len(names) if names is not None else None
    samples = [sample for entry in entries if (sample := _sample(entry, files, most, ask.faults)) is not None]
    if not samples and not ask.faults:
        raise DataError("no pictures", file=path)
    labels = [sample.label for sample in samples if isinstance(sample.label, Detections)]
    if names is None:
        names = [str(i) for i in range(1 + max((int(label.classes.max()) for label in labels if len(label)), default=-1))]
        notes.append("nothing names the classes: they are called by their numbers")
    unlabeled = len(samples) - len(labels)
    if unlabeled:
        notes.append(f"{unlabeled} pictures have no label file: they are unlabeled")
    ids = ask.ids if ask.ids and ask.ids != tuple(range(len(ask.ids))) else ()
    return Dataset(samples, Space("Detections", tuple(names), ids=ids) if labels else None, notes=notes)


def _folder(path: Path, ask: Ask, notes: list[str]) -> tuple[Path, list[_Entry]]:
    """The base that names are relative to, and the pictures of a folder."""
    found = scan(path, ask.faults)
    base = _above(path)
    if base is not None:
        prefix = Path(os.path.realpath(path)).relative_to(base).as_posix() + "/"
        entries = [_Entry(name, prefix + name, _label_name(prefix + name), file=path / name) for name in found.pictures]
        _orphans(base, [base / _label_name(prefix + "x.png")], entries, notes)
        return base, entries
    placed = [name for name in found.pictures if "images" in name.split("/")[:-1]]
    labeled = any((path / _label_name(name)).is_file() for name in placed)
    if not labeled:
        tops = {name.partition("/")[0] for name in found.pictures if "/" in name}
        splits = bool(tops) and all(split_word(top) for top in tops)
        return path, [_Entry(n, n, os.path.splitext(n)[0] + ".txt", split_word(n.partition("/")[0]) if splits and "/" in n else None) for n in found.pictures]
    if len(placed) < len(found.pictures):
        rest = [name for name in found.pictures if name not in set(placed)]
        notes.append(f"{len(rest)} pictures outside of images/ were not read: {listed(rest, 3)}")
    entries = [_Entry(name, name, _label_name(name), _split(name)) for name in placed]
    _orphans(path, [path / entry.label for entry in entries], entries, notes)
    return path, entries


def _split(name: str) -> str | None:
    """The split of ``images/train/1.png`` or ``train/images/1.png``."""
    parts = name.split("/")[:-1]
    place = len(parts) - 1 - parts[::-1].index("images")
    near = parts[place + 1 : place + 2] + parts[max(0, place - 1) : place]
    return next((split for part in near if (split := split_word(part))), None)


def _orphans(base: Path, labels: list[Path], entries: list[_Entry], notes: list[str]) -> None:
    """Say which label files have no picture."""
    known = {entry.label for entry in entries}
    alone: list[str] = []
    for folder in sorted({label.parent for label in labels}):
        if folder.is_dir():
            head = os.path.relpath(folder, base).replace(os.sep, "/")
            names = sorted(name for name in os.listdir(folder) if name.endswith(".txt") and not hidden(name) and name not in NAMES)
            alone += [name for name in (f"{head}/{name}" for name in names) if name not in known and name not in NAMES]
    if alone:
        notes.append(f"{len(alone)} label files have no picture: {listed(alone, 3)}")


def _listing(path: Path, ask: Ask) -> tuple[Path, list[_Entry]]:
    """The pictures of a listing, one path per line, relative to the data's folder or to the listing's own."""
    lines = [(i, line.strip().removeprefix("./")) for i, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    base = ask.root or path.parent
    if lines and Files(base).look(lines[0][1]) is None and Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(base)):
        base = path.parent
    files = Files(base)
    entries, seen = [], set()
    for i, name in lines:
        if files.look(name) is None:
            ask.faults.add_error(files.why_not(name, path, f"line {i}"))
            continue
        entries.append(_Entry(name if name not in seen else f"{name}#{i}", name, _label_name(name), line=i))
        seen.add(name)
    return base, entries


def _names(base: Path, path: Path) -> list[str] | None:
    """Class names by index, one per line, where a file beside the pictures has them."""
    for folder in dict.fromkeys([path if path.is_dir() else path.parent, base]):
        for name in NAMES:
            file = folder / name
            if file.is_file():
                names = [line.strip() for line in read_text(file, _LIMIT).splitlines() if line.strip()]
                if len(set(names)) < len(names):
                    raise DataError("two classes have one name", file=file, value=next(n for n in names if names.count(n) > 1))
                return names or None
    return None


def _sample(entry: _Entry, files: Files, most: int | None, faults: Faults) -> Sample | None:
    picture = entry.file or files.look(entry.picture)
    if picture is None:
        faults.add_error(files.why_not(entry.picture, files.root / entry.picture, None))
        return None
    sample = Sample(entry.id, {"image": picture}, split=entry.split, line=entry.line)
    label = files.look(entry.label)
    if label is None:
        if os.path.lexists(files.root / entry.label):
            faults.add_error(files.why_not(entry.label, files.root / entry.label, None))
            return None
        return sample
    try:
        lines = read_text(label, _LIMIT).splitlines()
        size = picture_size(picture) if any(line.strip() for line in lines) else (1, 1)
    except InputError as error:
        faults.add_error(error)
        return None
    things, before = Things(), len(faults)
    for i, line in enumerate(lines, 1):
        if line.strip():
            try:
                _add(things, line.split(), i, size, most)
            except DataError as error:
                faults.add_error(error, file=label, at=f"line {i}")
    if len(faults) > before:
        return None
    sample.label = things.label()
    sample.extra = {"file": str(label), **things.extra()}
    return sample


def _add(things: Things, fields: list[str], line: int, size: tuple[int, int], most: int | None) -> None:
    """One line: ``class x y w h``, the same with a score behind it, or ``class x y x y x y …``.

    Raises:
        DataError: a wrong number of fields, something that is no finite number, or no such class.
    """
    count = len(fields)
    if count not in (5, 6) and (count < 7 or count % 2 == 0):
        raise DataError(f"{count} fields", value=" ".join(fields), fix="class x y w h, or class x y x y x y … with at least three points")
    numbers = [_number(part) for part in fields]
    label = numbers[0]
    if label != int(label) or label < 0:
        raise DataError("the class must be a whole number from 0", value=fields[0])
    if label >= (most if most is not None else MOST_CLASSES):
        raise DataError("no such class", value=fields[0], fix=f"there are {most} classes, numbered from 0" if most is not None else "add a data.yaml with names")
    height, width = size
    if count > 6:
        ring = np.asarray(numbers[1:], np.float64).reshape(-1, 2) * [width, height]
        outline = Polygons((ring,))
        things.add(outline.box().tolist(), int(label), f"line {line}", outline=outline)
        return
    x, y, w, h = numbers[1:5]
    score = numbers[5] if count == 6 else None
    if score is not None and not 0 <= score <= 1:
        raise DataError("a score lies in 0..1", value=fields[5])
    things.add(((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height), int(label), f"line {line}", score=score)


def _number(text: str) -> float:
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError("not a finite number", value=text)
    return value

"""COCO JSON: a file of pictures, categories and annotations, or a folder that holds such files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import MAX_PIXELS
from vidi.core.space import Space
from vidi.data.readers import _json
from vidi.data.readers._ask import Ask, Faults, listed
from vidi.data.readers._coco import Size, add_thing
from vidi.data.readers._json import is_whole
from vidi.data.readers._scan import SPLITS, Files, hidden, natural
from vidi.data.readers._things import Things, split_in, split_word
from vidi.errors import DataError, nearest

MEANING = "a COCO .json file of boxes and outlines, or a folder with annotations/*.json or train/_annotations.coco.json"
PRIORITY = 85

UNASSIGNED = "unassigned"
"""The name of the file of samples without a split, beside files of splits."""

_OTHERS = ("captions", "person_keypoints", "panoptic", "stuff", "image_info")
_PICTURE = ("id", "file_name", "width", "height", "split", "group", "labeled")
_TOP = ("images", "annotations", "categories")


def matches(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() == ".json"
    return path.is_dir() and next(_candidates(path), None) is not None


def _candidates(folder: Path) -> Iterator[Path]:
    """The COCO files of a folder: in ``annotations``, directly in it, and in folders of splits."""
    for place in ("annotations", "Annotations", "."):
        found = [path for path in _json_files(folder / place) if _looks(path)]
        if found:
            yield from found
            return
    for name in sorted(_folders(folder)):
        if split_word(name):
            yield from (path for path in _json_files(folder / name) if _looks(path))


def _json_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith(".json") and not hidden(entry.name) and entry.is_file())
    except OSError:
        return []
    return [folder / name for name in names]


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not hidden(entry.name) and entry.is_dir()]
    except OSError:
        return []


def _looks(path: Path, size: int = 1 << 16) -> bool:
    """Whether a file, by its first and last bytes, is an object with pictures and categories or annotations."""
    try:
        with open(path, "rb") as file:
            head = file.read(size)
            file.seek(max(0, path.stat().st_size - size))
            ends = head + file.read(size)
    except OSError:
        return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"images"' in ends and (b'"annotations"' in ends or b'"categories"' in ends)


@dataclass(slots=True)
class _Document:
    """One file, its split, and the index of each of its categories' numbers."""

    file: Path
    split: str | None
    values: dict[str, Any]
    classes: dict[int, int] = field(default_factory=dict)


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in the order of the files' ``images``; classes by rising category id, or in the order a ``data.yaml`` gives.

    A picture with an annotation that cannot be used is left out whole, as its label would lack something.
    """
    parts = _parts(path) if path.is_dir() else [(None, path)]
    documents = [_Document(file, split, _json.load(file, ask.faults)) for split, file in parts]
    for document in documents:
        if not any(key in document.values for key in ("images", "annotations")):
            raise DataError("not a COCO file: neither images nor annotations", file=document.file, value=", ".join(list(document.values)[:8]))
    space, about = _categories(documents, ask)
    root = ask.root or (path if path.is_dir() else path.parent.parent if path.parent.name.casefold() == "annotations" else path.parent)
    files = Files(root)
    samples: list[Sample] = []
    notes: list[str] = []
    seen: set[str] = set()
    for document in documents:
        samples += _samples(document, files, seen, ask.faults, notes)
    if not samples and not ask.faults:
        raise DataError("no images", file=path)
    unlabeled = sum(sample.label is None for sample in samples)
    if unlabeled:
        notes.append(f"{unlabeled} pictures have no label")
    extra = {key: value for key, value in documents[0].values.items() if key not in _TOP}
    if any(about):
        extra["categories"] = about
    return Dataset(samples, space if any(sample.label is not None for sample in samples) else None, notes=notes, extra=extra)


def _parts(folder: Path) -> list[tuple[str | None, Path]]:
    """The files to read, with their splits.

    Raises:
        DataError: several files, and their names do not tell which.
    """
    by_split: dict[str | None, list[Path]] = {}
    for file in _candidates(folder):
        by_split.setdefault(split_in(file.stem) or (split_word(file.parent.name) if file.parent != folder else None), []).append(file)
    if len(by_split) > 1 and None in by_split:
        by_split[None] = [file for file in by_split[None] if file.stem.casefold() == UNASSIGNED]
    chosen = [(split, _one(files, folder)) for split, files in by_split.items() if files]
    order = ["train", "val", "test", None]
    return sorted(chosen, key=lambda part: order.index(part[0]))


def _one(files: list[Path], folder: Path) -> Path:
    if len(files) > 1:
        named = [file for file in files if file.stem.casefold().startswith("instances")]
        files = named or [file for file in files if not file.stem.casefold().startswith(_OTHERS)] or files
    if len(files) > 1:
        raise DataError("several COCO files", file=folder, value=listed(file.name for file in files), fix="give the path of one of them")
    return files[0]


def _categories(documents: list[_Document], ask: Ask) -> tuple[Space, list[dict[str, Any]]]:
    """The classes of all documents together, and what is said of each beyond id and name."""
    names: dict[int, str] = {}
    about: dict[int, dict[str, Any]] = {}
    for document in documents:
        own: set[int] = set()
        for i, category in enumerate(_list(document, "categories", ask.faults)):
            at = f"/categories/{i}"
            number, name = _category(category, at, document, own, names, ask.faults)
            if number is not None and name is not None:
                own.add(number)
                names[number] = name
                about.setdefault(number, {key: value for key, value in category.items() if key not in ("id", "name")})
        document.classes = dict.fromkeys(own, -1)
    order = sorted(names)
    if ask.names is not None:
        order = _given(names, ask, documents[0].file)
    index = {number: i for i, number in enumerate(order)}
    for document in documents:
        document.classes = {number: index[number] for number in document.classes if number in index}
    if ask.names is not None:
        ids = ask.ids or (tuple(order) if len(order) == len(ask.names) else ())
        return Space("Detections", ask.names, ids=_plain_ids(ids)), [about.get(number, {}) for number in order]
    return Space("Detections", tuple(names[number] for number in order), ids=_plain_ids(tuple(order))), [about[number] for number in order]


def _plain_ids(ids: tuple[int, ...]) -> tuple[int, ...]:
    return () if ids == tuple(range(len(ids))) else ids


def _given(names: dict[int, str], ask: Ask, file: Path) -> list[int]:
    """Category ids in the order of names that were given; others are faults."""
    given = list(ask.names or ())
    for number, name in names.items():
        if name not in given:
            close = nearest(name, given)
            hint = f"did you mean {', '.join(close)}?" if close else "add it to names"
            ask.faults.add("category is not among the names", file=file, at=f"category {number}", value=name, fix=hint)
    numbers = {name: number for number, name in names.items()}
    if all(name in numbers for name in given):
        return [numbers[name] for name in given]
    free = iter(range(max(names, default=0) + 1, max(names, default=0) + 1 + len(given)))
    return [numbers[name] if name in numbers else next(free) for name in given]


def _category(
    category: Any, at: str, document: _Document, own: set[int], names: dict[int, str], faults: Faults
) -> tuple[int | None, str | None]:
    file = document.file
    if not isinstance(category, dict):
        faults.add("a category is an object with id and name", file=file, at=at, value=category)
        return None, None
    number, name = category.get("id"), category.get("name")
    if not is_whole(number):
        faults.add("a category's id is a whole number", file=file, at=f"{at}/id", value=repr(number))
    elif number in own:
        faults.add("two categories have one id", file=file, at=f"{at}/id", value=number)
    elif not isinstance(name, str) or not name:
        faults.add("a category's name is text", file=file, at=f"{at}/name", value=repr(name))
    elif names.get(number, name) != name:
        faults.add("the files give one id to two categories", file=file, at=f"{at}/name", value=f"{names[number]}, {name}")
    elif name in names.values() and number not in names:
        faults.add("two categories have one name", file=file, at=f"{at}/name", value=name)
    else:
        return number, name
    return None, None


def _list(document: _Document, key: str, faults: Faults) -> list[Any]:
    value = document.values.get(key, [])
    if isinstance(value, list):
        return value
    faults.add(f"{key} must be a list", file=document.file, at=f"/{key}", value=type(value).__name__)
    return []


def _samples(document: _Document, files: Files, seen: set[str], faults: Faults, notes: list[str]) -> list[Sample]:
    """The samples of one document."""
    pictures = _list(document, "images", faults)
    numbers = _picture_ids(pictures, document, faults)
    things, bad = _annotations(document, pictures, numbers, faults, notes)
    prefix = _prefix([p["file_name"] for p in pictures if isinstance(p, dict) and isinstance(p.get("file_name"), str)], document, files)
    if prefix:
        notes.append(f"{document.file.name}: pictures lie in {prefix}")
    labeled = "annotations" in document.values
    samples = []
    for number, i in numbers.items():
        picture, at = pictures[i], f"/images/{i}"
        file, name = _picture_file(picture, prefix, files, document, at, faults)
        if file is None or number in bad:
            continue
        id = name if name not in seen else f"{name}#{number}"
        seen.add(id)
        mine = things.get(number) or Things()
        known = labeled and picture.get("labeled") is not False
        if mine.boxes and not known:
            faults.add("annotations of a picture that is said to be unlabeled", file=document.file, at=f"{at}/labeled", value=False)
            continue
        group, split = picture.get("group"), picture.get("split")
        samples.append(
            Sample(
                id,
                {"image": file},
                mine.label() if known else None,
                document.split or (SPLITS.get(split) if isinstance(split, str) else None),
                group if isinstance(group, str) and group else None,
                extra=_extra(document, picture, mine),
            )
        )
    return samples


def _extra(document: _Document, picture: dict[str, Any], things: Things) -> dict[str, Any]:
    values: dict[str, Any] = {"file": str(document.file), "id": picture["id"], **things.extra()}
    size = _size(picture)
    if size is not None:
        values["size"] = list(size)
    more = {key: value for key, value in picture.items() if key not in _PICTURE}
    if more:
        values["picture"] = more
    return values


def _size(picture: dict[str, Any]) -> Size:
    height, width = picture.get("height"), picture.get("width")
    return (height, width) if is_whole(height) and is_whole(width) and height > 0 and width > 0 else None


def _picture_ids(pictures: list[Any], document: _Document, faults: Faults) -> dict[int, int]:
    """The place of each picture by its id; what cannot be used is a fault."""
    numbers: dict[int, int] = {}
    for i, picture in enumerate(pictures):
        at, file = f"/images/{i}", document.file
        if not isinstance(picture, dict):
            faults.add("an image is an object with id and file_name", file=file, at=at, value=picture)
            continue
        number = picture.get("id")
        if not is_whole(number):
            faults.add("an image's id is a whole number", file=file, at=f"{at}/id", value=repr(number))
        elif number in numbers:
            faults.add("two images have one id", file=file, at=f"{at}/id", value=number)
        else:
            numbers[number] = i
    return numbers


def _annotations(
    document: _Document, pictures: list[Any], numbers: dict[int, int], faults: Faults, notes: list[str]
) -> tuple[dict[int, Things], set[int]]:
    """The things of each picture by its id, and the ids of pictures with an annotation that cannot be used."""
    things: dict[int, Things] = {}
    bad: set[int] = set()
    seen: set[int] = set()
    keypoints = 0
    sizes = {number: _size(pictures[i]) for number, i in numbers.items()}
    for k, values in enumerate(_list(document, "annotations", faults)):
        at = f"/annotations/{k}"
        try:
            number, label = _references(values, at, seen, sizes, document)
            add_thing(things.setdefault(number, Things()), values, label, sizes[number], at)
            keypoints += "keypoints" in values
        except DataError as error:
            faults.add_error(error, file=document.file)
            picture = values.get("image_id") if isinstance(values, dict) else None
            if is_whole(picture):
                bad.add(picture)
    if keypoints:
        notes.append(f"keypoints of {keypoints} annotations are not read as labels")
    return things, bad


def _references(values: Any, at: str, seen: set[int], sizes: dict[int, Size], document: _Document) -> tuple[int, int]:
    """The picture's id and the class's index of an annotation.

    Raises:
        DataError: an id that is no whole number, is used twice, or leads nowhere.
    """
    if not isinstance(values, dict):
        raise DataError("an annotation is an object", at=at, value=values)
    own, number, category = values.get("id"), values.get("image_id"), values.get("category_id")
    who = f"annotation {own if own is not None else '?'}"
    if own is not None and not is_whole(own):
        raise DataError("an annotation's id is a whole number", at=f"{at}/id", value=repr(own))
    if own is not None and own in seen:
        raise DataError("two annotations have one id", at=f"{at}/id", value=own)
    if own is not None:
        seen.add(own)
    if not is_whole(number):
        raise DataError(f"{who}: image_id must be a whole number", at=f"{at}/image_id", value=repr(number))
    if number not in sizes:
        raise DataError(f"{who}: no image has this id", at=f"{at}/image_id", value=number)
    if not is_whole(category):
        raise DataError(f"{who}: category_id must be a whole number", at=f"{at}/category_id", value=repr(category))
    if category not in document.classes:
        raise DataError(f"{who}: no category has this id", at=f"{at}/category_id", value=category)
    return number, document.classes[category]


def _picture_file(
    picture: dict[str, Any], prefix: str, files: Files, document: _Document, at: str, faults: Faults
) -> tuple[Path | None, str]:
    """A picture's file and its name below the root; None where there is a fault."""
    name, who = picture.get("file_name"), f"image {picture['id']}"
    sides = {key: picture[key] for key in ("height", "width") if picture.get(key) is not None}
    if not isinstance(name, str) or not name:
        faults.add(f"{who}: file_name must be text", file=document.file, at=f"{at}/file_name", value=repr(name))
        return None, ""
    for key, value in sides.items():
        if not is_whole(value) or not 0 < value <= MAX_PIXELS:
            faults.add(f"{who}: {key} must be a whole number of pixels", file=document.file, at=f"{at}/{key}", value=value)
            return None, ""
    if len(sides) == 2 and sides["height"] * sides["width"] > MAX_PIXELS:
        faults.add(f"{who}: more than {MAX_PIXELS} pixels", file=document.file, at=f"{at}/width", value=f"{sides['width']}x{sides['height']}")
        return None, ""
    plain = name.removeprefix("./")
    full = plain if os.path.isabs(plain) or "://" in plain else prefix + plain
    found = files.look(full)
    if found is None:
        error = files.why_not(full, document.file, f"{at}/file_name")
        faults.add(f"{who}: {error.rule}", file=document.file, at=error.at, value=name, fix=error.fix)
    return found, full


def _prefix(names: list[str], document: _Document, files: Files) -> str:
    """The folder below the root that names are relative to: the one that has most of the first of them."""
    names = [name.removeprefix("./") for name in names[:: max(1, len(names) // 20)][:20]]
    best, hits = "", 0
    for prefix in _prefixes(document, files):
        count = sum(files.look(prefix + name) is not None for name in names)
        if count > hits:
            best, hits = prefix, count
        if names and count == len(names):
            break
    return best


def _prefixes(document: _Document, files: Files) -> Iterator[str]:
    own = os.path.realpath(document.file.parent)
    here = Path(own).relative_to(files.base).as_posix() + "/" if own.startswith(files.base + os.sep) else ""
    stem = document.file.stem.partition("_")[2] or document.file.stem
    yield from dict.fromkeys([here, "", "images/", f"{stem}/", f"images/{stem}/", f"{here}images/", "data/"])
    for name in sorted(_folders(files.root), key=natural)[:50]:
        yield f"{name}/"
        yield from (f"{name}/{deeper}/" for deeper in sorted(_folders(files.root / name), key=natural)[:20])

"""Tables of run lengths, as at Kaggle: a row per thing or per class, with the picture's name and its pixels as starts and lengths."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import csv_plain
from vidi.core.images import decode, picture_size
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.data.readers import _cells, _columns, _encode, masks, table
from vidi.data.readers._ask import Ask, listed
from vidi.data.readers._cells import Table
from vidi.data.readers._mask_values import GROUND
from vidi.data.readers._runs import counts_of, united
from vidi.data.readers._scan import SPLITS, hidden, natural
from vidi.data.readers._things import Things
from vidi.errors import DataError, InputError, nearest
from vidi.labels import Outline, Runs, Segmentation

MEANING = "a CSV, TSV or Parquet table of run lengths as at Kaggle: ImageId, EncodedPixels and maybe ClassId, a row per thing or per class"
PRIORITY = 76

_RUNS = ("encodedpixels", "encoded_pixels", "rle", "mask_rle", "rle_mask", "run_lengths", "runs", "annotation", "segmentation", "predicted")
_SURE = 7
"""So many of these names say enough; columns called as the rest must look like run lengths."""
_PICTURES = ("imageid", "image_id", "imageid_classid", "image_id_class_id", "img_id", "imagename", "image_name", "image", "img", "filename", "file_name", "path", "file", "id")
_CLASSES = ("classid", "class_id", "class", "label", "category", "cell_type", "type", "defect", "organ", "target")
_TOGETHER = ("imageid_classid", "image_id_class_id")
_NOTHING = ("", "-1", "nan", "none", "null")
_LOOKS = re.compile(r"\d+ \d+(?: \d+ \d+)*")
_NO = ("0", "0.0", "false", "no")
IGNORED = -1
"""The class of rows whose pixels are not known."""


@dataclass(slots=True)
class _Roles:
    """Columns by role; `together`: picture and class stand in one cell, as ``name_3``."""

    image: str
    runs: str
    label: str | None
    together: bool
    labeled: str | None
    size: tuple[str, str] | None


def priority(want: Task) -> int:
    """Just below masks."""
    return masks.priority(want) - 1 if masks.priority(want) != masks.PRIORITY else PRIORITY


def matches(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in _cells.SUFFIXES_READ and _holds(path)
    return path.is_dir() and bool(_tables(path))


def holds_runs(cells: Table) -> bool:
    """Whether a table has a column of run lengths and one that names pictures."""
    return _find(cells) is not None


def _holds(path: Path) -> bool:
    try:
        return holds_runs(_cells.load(path, Ask(), rows=200))
    except InputError:
        return False


def _tables(folder: Path) -> dict[str | None, Path]:
    """The tables of run lengths in a folder, by split; one of everything has the split None.

    Raises:
        DataError: several of everything.
    """
    names = sorted(name.name for name in folder.iterdir() if name.suffix.lower() in _cells.SUFFIXES_READ and name.is_file() and not hidden(name.name))
    found = [name for name in names if "submission" not in name.casefold() and _holds(folder / name)]
    splits: dict[str | None, Path] = {split: folder / name for name in found if (split := SPLITS.get(name.partition(".")[0].casefold()))}
    if "train" in splits or len(splits) > 1:
        return splits
    if len(found) > 1:
        raise DataError("several tables hold run lengths", file=folder, value=listed(found), fix="give the path of one of them")
    return {None: folder / found[0]} if found else {}


def _find(cells: Table) -> _Roles | None:
    by_key = {_columns.key(name): name for name in reversed(list(cells.columns))}

    def called(choices: tuple[str, ...]) -> str | None:
        return next((by_key[choice] for choice in choices if choice in by_key), None)

    runs = next((by_key[key] for i, key in enumerate(_RUNS) if key in by_key and _looks(cells.columns[by_key[key]], i < _SURE)), None)
    image = called(_PICTURES)
    if runs is None or image is None:
        return None
    height, width = by_key.get("height"), by_key.get("width")
    label = called(_CLASSES)
    return _Roles(image, runs, label if label != image else None, _columns.key(image) in _TOGETHER, by_key.get("labeled"), (height, width) if height and width else None)


def _looks(column: list[Any], sure: bool) -> bool:
    """Whether a column holds run lengths: no cell is anything else, and unless its name says so, some are."""
    texts = {cell.strip() for cell in map(str, column)}
    texts = {text for text in texts if text.casefold() not in _NOTHING}
    return sure and not texts or bool(texts) and sum(_LOOKS.fullmatch(text) is not None for text in texts) >= (0.5 if sure else 1) * len(texts)


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in the order in which pictures are first named. A row without run lengths names a picture on which its class is not.

    Run lengths are pairs of start and length; starts count from 1 and go down the columns, unless a ``data.yaml`` says otherwise. A task for
    things gets `Detections`, a row each; one for class maps `Segmentation`, later rows painted over earlier ones.
    """
    found = _tables(path) if path.is_dir() else {None: path}
    if None in found:
        return assemble(_cells.load(found[None], ask), ask)
    if ask.root is None:
        ask = replace(ask, root=path)
    return assemble(_cells.join([(split, _cells.load(file, ask)) for split, file in found.items()]), ask)


def assemble(cells: Table, ask: Ask) -> Dataset:
    """A data set out of a table's cells."""
    columns = _find(cells)
    if columns is None:
        raise DataError("no columns of pictures and run lengths", file=cells.files[0], value=", ".join(cells.columns), fix="call them ImageId and EncodedPixels")
    labels = [str(cell) for cell in cells.columns[columns.label]] if columns.label else None
    if columns.together:
        split = [str(cell).rpartition("_") for cell in cells.columns[columns.image]]
        cells = replace(cells, columns={**cells.columns, columns.image: [name for name, _, _ in split]})
        labels = [label for _, _, label in split]
    roles = _columns.find_roles(cells, replace(ask, image_column=ask.image_column or columns.image, label_columns=None))
    bad: set[int] = set()
    splits = table.row_splits(cells, roles, ask.faults, bad)
    names, ids, classes = _classes(cells, columns, labels, ask, bad)
    as_map = ask.want.family == "Segmentation" if ask.want is not None else ask.masks.values == "classes"
    ground = _ground(names, ask)
    samples, counts = [], Counter[str]()
    for name, (picture, group) in _pictures(cells, roles, ask).items():
        for what, values in (("splits", splits), ("groups", cells.columns[roles.group] if roles.group else None)):
            if values and any(values[i] != values[group[0]] for i in group):
                ask.faults.add(f"one picture in several {what}", file=cells.file(group[0]), at=cells.at(group[0]), value=name)
        known = group if as_map else [i for i in group if classes[i] != IGNORED]
        counts["left out"] += len(group) - len(known)
        things = _things(known, picture, cells, columns, classes, ask) if picture is not None and not bad & set(group) else None
        if things is None:
            continue
        sample = Sample(name, {"image": picture}, split=splits[group[0]] if splits else None, line=cells.lines[group[0]])
        sample.group = (csv_plain(str(cells.columns[roles.group][group[0]]).strip()) or None) if roles.group else None
        sample.extra = {"file": str(cells.file(group[0]))}
        if as_map and not _unlabeled(cells, columns, group):
            sample.label, twice = _painted(things, _size(picture, name), ground, len(names))
            counts["twice"] += twice
        elif not _unlabeled(cells, columns, group):
            sample.label, sample.extra = things.label(), {**sample.extra, **things.extra()}
        elif things.boxes:
            ask.faults.add("run lengths of a picture that is said to be unlabeled", file=cells.file(group[0]), at=cells.at(group[0]), value=name)
            continue
        samples.append(sample)
    notes = [*cells.notes, *_notes(cells, roles, columns, ask, as_map, counts)]
    known_labels = any(sample.label is not None for sample in samples)
    return Dataset(samples, _space(names, ids, ground, as_map) if known_labels else None, notes=notes)


def _unlabeled(cells: Table, columns: _Roles, group: list[int]) -> bool:
    return columns.labeled is not None and any(str(cells.columns[columns.labeled][i]).strip().casefold() in _NO for i in group)


def _pictures(cells: Table, roles: _columns.Roles, ask: Ask) -> dict[str, tuple[Any, list[int]]]:
    """Each picture that is named, and its rows."""
    found: dict[str, tuple[Any, list[int]]] = {}
    for i, cell in enumerate(cells.columns[roles.image]):
        name, picture = table.embedded_picture(cell, cells, i, ask.faults) if roles.embedded else table.named_picture(cell, roles, roles.files.look)
        if picture is None and not roles.embedded and name not in found:
            ask.faults.add_error(roles.files.why_not(name, cells.file(i), cells.at(i)))
        found.setdefault(name, (picture, []))[1].append(i)
    return found


def _ground(names: list[str], ask: Ask) -> int | None:
    """The class of pixels in no row, in a class map: the one called background, or -1 for one more before the others. None: a data.yaml names
    the classes and what is not known, and no background, so that they are not known."""
    if GROUND in names:
        return names.index(GROUND)
    return None if ask.names is not None and ask.masks.ignore is not None else -1


def _space(names: list[str], ids: tuple[int, ...], ground: int | None, as_map: bool) -> Space:
    if not as_map:
        return Space("Detections", tuple(names), ids=ids)
    if ground != -1:
        return Space("Segmentation", tuple(names), ids=ids)
    return Space("Segmentation", (GROUND, *names), ids=(0, *ids) if ids and 0 not in ids and ids != tuple(range(1, len(ids) + 1)) else ())


def _classes(cells: Table, columns: _Roles, labels: list[str] | None, ask: Ask, bad: set[int]) -> tuple[list[str], tuple[int, ...], list[int]]:
    """Class names, their numbers elsewhere, and each row's class; `IGNORED` for one that a data.yaml says to ignore."""
    ids = ask.ids if ask.ids and ask.ids != tuple(range(len(ask.ids))) else ()
    given = list(ask.names) if ask.names is not None else None
    if labels is None:
        names = given or ["object"]
        return names, ids, [0 if names[0] != GROUND or len(names) == 1 else 1] * len(cells)
    spelled = {label: plain if (plain := csv_plain(label)) in (given or ()) else _encode.class_name(label, cells.decimal) for label in set(labels)}
    ignored = {str(value) for value in ask.masks.ignore or ()}
    names = given or sorted({name for name in spelled.values() if name and name not in ignored}, key=natural)
    place = {name: i for i, name in enumerate(names)}
    numbers = {str(number): i for i, number in enumerate(ids or range(len(names)))} if given else {}
    numbers |= {value: IGNORED for value in ignored}
    classes = []
    for i, label in enumerate(labels):
        name = spelled[label]
        index = place.get(name, numbers.get(name))
        if index is None and (name or str(cells.columns[columns.runs][i]).strip().casefold() not in _NOTHING):
            close = nearest(name, names)
            hint = f"did you mean {', '.join(close)}?" if close else "add it to names, or give the classes' numbers in a data.yaml (ids)"
            what = "unknown class" if name else "no class"
            ask.faults.add(what, file=cells.file(i), at=cells.at(i, columns.label), value=name or None, fix=hint)
            bad.add(i)
        classes.append(index or 0)
    return names, ids, classes


def _size(picture: Any, name: str) -> tuple[int, int]:
    """Upright (height, width).

    Raises:
        ImageError: the picture cannot be read.
    """
    if isinstance(picture, Path):
        return picture_size(picture)
    height, width = decode(picture, name=name).shape[:2]
    return height, width


def _things(group: list[int], picture: Any, cells: Table, columns: _Roles, classes: list[int], ask: Ask) -> Things | None:
    """The things of a picture's rows; None when one of them cannot be used."""
    things, good = Things(), True
    try:
        size = _size(picture, str(picture))
    except InputError as error:
        ask.faults.add_error(error)
        return None
    for i in group:
        text = str(cells.columns[columns.runs][i]).strip()
        if text.casefold() in _NOTHING:
            continue
        try:
            _check_size(size, cells, columns, i)
            runs = parse(text, size, by_rows=ask.masks.by_rows, start=ask.masks.start)
            things.add(runs.box(), classes[i], cells.at(i), outline=runs)
        except DataError as error:
            ask.faults.add_error(error, file=cells.file(i), at=cells.at(i, columns.runs))
            good = False
    return things if good else None


def _check_size(size: tuple[int, int], cells: Table, columns: _Roles, row: int) -> None:
    """
    Raises:
        DataError: the table gives the picture another size than it has.
    """
    if columns.size is None:
        return
    given = tuple(str(cells.columns[name][row]).strip().removesuffix(".0") for name in columns.size)
    if all(given) and given != (str(size[0]), str(size[1])):
        raise DataError("the table gives the picture another size", value=f"{given[1]}x{given[0]}", fix=f"the picture is {size[1]}x{size[0]} (width x height)")


def parse(text: str, size: tuple[int, int], *, by_rows: bool = False, start: int = 1) -> Runs:
    """Pairs of start and length as run lengths in a picture of (height, width).

    Args:
        by_rows: starts go along the rows, not down the columns.
        start: the number of the first pixel.

    Raises:
        DataError: an odd number of numbers, something that is no whole number, or a run that leaves the picture.
    """
    try:
        numbers = np.array(text.replace(",", " ").split(), dtype=np.int64)
    except (ValueError, OverflowError):
        raise DataError("run lengths must be whole numbers", value=text[:40], fix="pairs of start and length, such as 1 3 10 5") from None
    if len(numbers) % 2:
        raise DataError(f"{len(numbers)} numbers, and run lengths are pairs of start and length", value=text[:40])
    starts, lengths, total = numbers[0::2] - start, numbers[1::2], size[0] * size[1]
    odd = (starts < 0) | (lengths < 0) | (starts > total) | (lengths > total) | (starts + lengths > total)
    if odd.any():
        one = int(np.flatnonzero(odd)[0])
        value = f"{numbers[2 * one]} {numbers[2 * one + 1]}"
        raise DataError("a run that leaves the picture", value=value, fix=f"the picture has {total} pixels ({size[1]}x{size[0]}), numbered from {start}; a data.yaml can say run_start: 0")
    starts, lengths = united(starts, lengths)
    if not by_rows:
        return Runs(size, counts_of(starts, lengths, total))
    mask = np.zeros(total + 1, np.int8)
    mask[starts] += 1
    mask[starts + lengths] -= 1
    return Outline.of(np.cumsum(mask[:-1]).astype(bool).reshape(size))


def _painted(things: Things, size: tuple[int, int], ground: int | None, count: int) -> tuple[Segmentation, int]:
    """Things of so many classes as a class map, and how many pixels were painted twice, in another class."""
    shift, twice = (1 if ground == -1 else 0), 0
    unknown = 255 if count + shift <= 255 else 65535
    painted = np.full(size, unknown if ground is None else max(ground, 0), np.int32)
    done = np.zeros(size, bool)
    for label, outline in zip(things.classes, things.outlines):
        mask = outline.mask(size) if outline is not None else done[:0]
        value = unknown if label == IGNORED else label + shift
        twice += int((done & mask & (painted != value)).sum())
        painted[mask] = value
        done |= mask
    return Segmentation(painted, None, unknown).packed(), twice


def _notes(cells: Table, roles: _columns.Roles, columns: _Roles, ask: Ask, as_map: bool, counts: Counter[str]) -> list[str]:
    where = f" (looked up as {roles.path('…')})" if roles.prefix or roles.suffix else ""
    way = "along the rows" if ask.masks.by_rows else "down the columns"
    notes = [f"pictures: column {roles.image}{where}", f"run lengths: column {columns.runs}, {way}, from {ask.masks.start}"]
    notes.append("rows were painted as class maps" if as_map else "each row is a thing")
    if columns.label is None and not columns.together:
        notes.append("no column names classes: all rows are of one")
    known = {roles.image, roles.split, roles.group, columns.runs, columns.label, columns.labeled, *(columns.size or ())}
    unused = [name for name in cells.columns if name not in known]
    if unused:
        notes.append(f"columns not used: {listed(unused)}")
    if counts["left out"]:
        notes.append(f"{counts['left out']} rows of pixels that are not known were left out")
    if counts["twice"]:
        notes.append(f"{counts['twice']} pixels are of several classes: they were given to the one whose row comes last")
    return notes

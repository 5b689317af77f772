"""Tables with a row for each box: the picture's path, the box's sides and its class."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import csv_plain
from vidi.core.space import Space
from vidi.data.readers import _cells, _columns, _encode, table
from vidi.data.readers._ask import Ask, Faults, listed
from vidi.data.readers._cells import Table
from vidi.data.readers._scan import natural
from vidi.data.readers._things import Things
from vidi.errors import DataError, InputError, nearest
from vidi.labels import Outline

MEANING = "a CSV, TSV or Parquet table with a row per box: path, xmin, ymin, xmax, ymax (or x, y, w, h) and label"
PRIORITY = 75

_LOW = (("xmin", "x_min", "x1", "x0", "left", "bbox_xmin", "bbox_x1", "x", "bbox_x", "bbox_left"),
        ("ymin", "y_min", "y1", "y0", "top", "bbox_ymin", "bbox_y1", "y", "bbox_y", "bbox_top"))  # fmt: skip
_HIGH = (("xmax", "x_max", "x2", "right", "bbox_xmax", "bbox_x2"), ("ymax", "y_max", "y2", "bottom", "bbox_ymax", "bbox_y2"))
_SIDES = (("w", "width", "bbox_w", "bbox_width"), ("h", "height", "bbox_h", "bbox_height"))
_MORE = {
    "score": ("score", "confidence", "conf"), "crowd": ("crowd", "iscrowd"), "track": ("track", "track_id"), "text": ("text",),
    "outline": ("outline",), "labeled": ("labeled",), "extra": ("extra",),
}  # fmt: skip
_NO, _YES = ("0", "0.0", "false", "no"), ("1", "1.0", "true", "yes")


@dataclass(slots=True)
class _Columns:
    """Columns by role: four of the box, whether the last two are width and height, the class, and what else there is."""

    box: tuple[str, str, str, str]
    sides: bool
    label: str | None = None
    more: dict[str, str] | None = None


def matches(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in _cells.SUFFIXES_READ and _holds_boxes(path)
    if not path.is_dir():
        return False
    found = [file for file in sorted(path.iterdir()) if file.suffix.lower() in _cells.SUFFIXES_READ and file.is_file()]
    return any(_holds_boxes(file) for file in found) and all(_holds_boxes(file) for file in table.find_tables(path).values())


def _holds_boxes(path: Path) -> bool:
    try:
        return _find(_cells.load(path, Ask(), rows=5).columns) is not None
    except InputError:
        return False


def _find(names: Any) -> _Columns | None:
    """The columns that hold boxes, by their names; None when there are none."""
    by_key = {_columns.key(name): name for name in reversed(list(names))}

    def called(choices: tuple[str, ...]) -> str | None:
        return next((by_key[choice] for choice in choices if choice in by_key), None)

    low, high, sides = ([called(choices) for choices in pair] for pair in (_LOW, _HIGH, _SIDES))
    far = high if None not in high else sides
    if None in low or None in far:
        return None
    more = {role: name for role, choices in _MORE.items() if (name := called(choices)) is not None}
    return _Columns((low[0], low[1], far[0], far[1]), far is sides, called(_columns.CLASSES), more)  # type: ignore[arg-type]


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in the order in which pictures are first named; a row whose four box cells are empty names a picture without things.

    Numbers are pixels; x2 and y2 are where the box ends. Where a task for classes or numbers is asked for, the columns are read as any
    table's.
    """
    found = table.find_tables(path) if path.is_dir() else {None: path}
    if None in found:
        return assemble(_cells.load(found[None], ask), ask)
    if ask.root is None:
        ask.root = path
    return assemble(_cells.join([(split, _cells.load(file, ask)) for split, file in found.items()]), ask)


def assemble(cells: Table, ask: Ask) -> Dataset:
    """A data set out of a table's cells; as the plain table reader has it where no columns hold boxes or other labels are wanted."""
    columns = _find(cells.columns)
    if columns is None or ask.columns is not None or not len(cells):
        return table.assemble(cells, ask)
    roles = _columns.find_roles(cells, ask)
    if ask.label_columns is not None:
        columns.label = ask.label_columns[0]
    if columns.label == roles.image:
        columns.label = None
    bad: set[int] = set()
    splits = table.row_splits(cells, roles, ask.faults, bad)
    pictures = _pictures(cells, roles, ask.faults, bad)
    space, classes = _classes(cells, columns, ask, bad)
    rows: dict[str, list[int]] = {}
    for i, (name, _) in enumerate(pictures):
        rows.setdefault(name, []).append(i)
    samples = []
    for name, group in rows.items():
        sample = _sample(name, group, cells, columns, classes, ask.faults, bad)
        picture = pictures[group[0]][1]
        if sample is None or picture is None:
            continue
        sample.inputs["image"] = picture
        sample.split = splits[group[0]] if splits else None
        sample.group = (csv_plain(str(cells.columns[roles.group][group[0]]).strip()) or None) if roles.group else None
        for what, values in (("splits", splits), ("groups", cells.columns[roles.group] if roles.group else None)):
            if values and any(values[i] != values[group[0]] for i in group):
                ask.faults.add(f"one picture in several {what}", file=cells.file(group[0]), at=cells.at(group[0]), value=name)
        samples.append(sample)
    known = any(sample.label is not None for sample in samples)
    return Dataset(samples, space if known else None, notes=[*cells.notes, *_notes(cells, roles, columns, samples)])


def _pictures(cells: Table, roles: _columns.Roles, faults: Faults, bad: set[int]) -> list[tuple[str, Any]]:
    """The name and file of each row's picture."""
    by_cell: dict[Any, tuple[str, Any]] = {}
    found = []
    for i, cell in enumerate(cells.columns[roles.image]):
        if roles.embedded:
            found.append(table.embedded_picture(cell, cells, i, faults))
        else:
            if cell not in by_cell:
                by_cell[cell] = table.named_picture(cell, roles, roles.files.look)
            found.append(by_cell[cell])
            if by_cell[cell][1] is None:
                faults.add_error(roles.files.why_not(by_cell[cell][0], cells.file(i), cells.at(i)))
        if found[-1][1] is None:
            bad.add(i)
    return found


def _classes(cells: Table, columns: _Columns, ask: Ask, bad: set[int]) -> tuple[Space, list[int | None]]:
    """What the classes are, and each row's; None for an empty cell."""
    given = list(ask.names) if ask.names is not None else None
    if columns.label is None:
        names = given or ["object"]
        return Space("Detections", tuple(names), ids=_ids(ask)), [0] * len(cells)
    exact = set(given or ())
    column = [str(cell) for cell in cells.columns[columns.label]]
    spelled = {cell: plain if (plain := csv_plain(cell)) in exact else _encode.class_name(cell, cells.decimal) for cell in set(column)}
    names = given or sorted({name for name in spelled.values() if name}, key=natural)
    place = {name: i for i, name in enumerate(names)}
    classes: list[int | None] = []
    for i, cell in enumerate(column):
        name = spelled[cell]
        index = place.get(name)
        if index is None and given is not None and name.isdigit() and int(name) < len(given):
            index = int(name)
        if index is None and name:
            close = nearest(name, names)
            hint = f"did you mean {', '.join(close)}?" if close else "add it to names"
            ask.faults.add("unknown class", file=cells.file(i), at=cells.at(i, columns.label), value=name, fix=hint)
            bad.add(i)
        classes.append(index)
    return Space("Detections", tuple(names), ids=_ids(ask)), classes


def _ids(ask: Ask) -> tuple[int, ...]:
    return ask.ids if ask.ids and ask.ids != tuple(range(len(ask.ids))) else ()


def _sample(
    name: str, group: list[int], cells: Table, columns: _Columns, classes: list[int | None], faults: Faults, bad: set[int]
) -> Sample | None:
    """The sample of a picture's rows; None when one of them cannot be used."""
    things = Things()
    unlabeled = False
    whole = not any(i in bad for i in group)
    for i in group:
        try:
            told = _cell(cells, columns, "labeled", i).strip().casefold()
            unlabeled |= told in _NO
            box = _box(cells, columns, i)
            if box is not None:
                _add(things, box, classes[i], cells, columns, i)
        except DataError as error:
            faults.add_error(error, file=cells.file(i))
            whole = False
    if not whole:
        return None
    if unlabeled and things.boxes:
        faults.add("boxes of a picture that is said to be unlabeled", file=cells.file(group[0]), at=cells.at(group[0]), value=name)
        return None
    extra = {"file": str(cells.file(group[0])), **things.extra()}
    return Sample(name, {}, None if unlabeled else things.label(), line=cells.lines[group[0]], extra=extra)


def _cell(cells: Table, columns: _Columns, role: str, row: int) -> str:
    name = (columns.more or {}).get(role)
    return "" if name is None else str(cells.columns[name][row])


def _box(cells: Table, columns: _Columns, row: int) -> tuple[float, float, float, float] | None:
    """x1, y1, x2, y2; None when all four cells are empty.

    Raises:
        DataError: some cells are empty, or one is no number.
    """
    texts = [str(cells.columns[name][row]).strip() for name in columns.box]
    if not any(texts):
        return None
    values = []
    for name, text in zip(columns.box, texts):
        try:
            value = float(text.replace(cells.decimal, ".")) if "_" not in text else None
        except ValueError:
            value = None
        if value is None:
            raise DataError("an empty cell among a box's" if not text else "not a number", at=cells.at(row, name), value=text or None)
        values.append(value if math.isfinite(value) else math.nan)
    x, y, a, b = values
    return (x, y, x + a, y + b) if columns.sides else (x, y, a, b)


def _add(
    things: Things, box: tuple[float, float, float, float], label: int | None, cells: Table, columns: _Columns, row: int
) -> None:
    def cell(role: str, parse: Callable[[str], Any], empty: Any = None) -> Any:
        text = _cell(cells, columns, role, row)
        if not text.strip() and role != "text":
            return empty
        try:
            return parse(text)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise DataError(f"not a {role}", at=cells.at(row, (columns.more or {})[role]), value=text) from None

    texts = "text" in (columns.more or {})
    if label is None:
        raise DataError("a box without a class", at=cells.at(row, columns.label))
    things.add(
        box, label, cells.at(row), score=cell("score", _share), crowd=cell("crowd", _truth, False), track=cell("track", _whole),
        text=cell("text", csv_plain) if texts else None, outline=cell("outline", lambda text: Outline.from_dict(json.loads(text))), note=cell("extra", _object),
    )  # fmt: skip


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _truth(text: str) -> bool:
    plain = text.strip().casefold()
    if plain not in (*_NO, *_YES):
        raise ValueError(text)
    return plain in _YES


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value) or abs(value) >= 1 << 63:
        raise ValueError(text)
    return int(text) if text.strip().lstrip("-").isdigit() else int(value)


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


def _notes(cells: Table, roles: _columns.Roles, columns: _Columns, samples: list[Sample]) -> list[str]:
    where = f" (looked up as {roles.path('…')})" if roles.prefix or roles.suffix else ""
    what = "x, y, width and height" if columns.sides else "two corners"
    notes = [f"pictures: column {roles.image}{where}", f"boxes: {what}, from {listed(columns.box)}, in pixels"]
    notes.append(f"classes: column {columns.label}" if columns.label else "no column names classes: all boxes are of one")
    known = {roles.image, roles.split, roles.group, *columns.box, columns.label, *(columns.more or {}).values()}
    unused = [name for name in cells.columns if name not in known]
    if unused:
        notes.append(f"columns not used: {listed(unused)}")
    farthest = max((float(sample.label.boxes.max()) for sample in samples if sample.label is not None and len(sample.label)), default=9.0)  # type: ignore[attr-defined, arg-type]
    if farthest <= 1.5:
        notes.append("all coordinates lie in 0..1: they were read as pixels, and are shares of the sides perhaps")
    return notes

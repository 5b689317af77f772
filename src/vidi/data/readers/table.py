"""Tables of pictures: CSV, TSV or Parquet with a path column and label columns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import csv_plain
from vidi.core.space import Space
from vidi.data.readers import _cells, _columns, _encode
from vidi.data.readers._ask import Ask, Faults, listed
from vidi.data.readers._cells import Table
from vidi.data.readers._scan import SPLITS, hidden
from vidi.errors import DataError, InputError
from vidi.labels import Label

MEANING = "a CSV, TSV or Parquet table with a path column and label columns (or a folder that holds one)"
PRIORITY = 70


def matches(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in _cells.SUFFIXES_READ
    return path.is_dir() and bool(find_tables(path))


def find_tables(folder: Path) -> dict[str | None, Path]:
    """The tables a folder's pictures are listed in, by split; one table of everything has the split None.

    Raises:
        DataError: several tables, and their names do not tell which.
    """
    try:
        with os.scandir(folder) as entries:
            files = sorted(
                entry.name for entry in entries if not hidden(entry.name) and entry.name.lower().endswith(_cells.SUFFIXES_READ) and entry.is_file()
            )
    except OSError:
        return {}
    by_split: dict[str | None, Path] = {}
    for name in files:
        split = SPLITS.get(name.partition(".")[0].casefold())
        if split is not None and _names_pictures(folder / name):
            by_split[split] = folder / name
    if "train" in by_split or len(by_split) > 1:
        return by_split
    fitting = [name for name in files if _names_pictures(folder / name)]
    if len(fitting) > 1:
        preferred = [name for name in fitting if name.partition(".")[0].casefold() in ("labels", "annotations", "metadata", "index")]
        if len(preferred) != 1:
            raise DataError("several tables name pictures", file=folder, value=listed(fitting), fix="give the path of one of them")
        fitting = preferred
    return {None: folder / fitting[0]} if fitting else {}


def _names_pictures(path: Path) -> bool:
    """Whether a table, by its first rows, names pictures that exist, or has a column that is called so."""
    try:
        table = _cells.load(path, Ask(), rows=50)
        roles = _columns.find_roles(table, Ask())
    except InputError:
        return False
    if roles.embedded or _columns.key(roles.image) in _columns.PATHS[:-3]:
        return True
    return any(isinstance(cell, str) and roles.files.look(roles.path(cell)) for cell in table.columns[roles.image])


def read(path: Path, ask: Ask) -> Dataset:
    """Samples in the order of the rows; ids are the pictures' paths, and a picture's second row adds ``#line``."""
    tables = find_tables(path) if path.is_dir() else {None: path}
    if None in tables:
        return assemble(_cells.load(tables[None], ask), ask)
    if ask.root is None:
        ask.root = path
    return assemble(_cells.join([(split, _cells.load(file, ask)) for split, file in tables.items()]), ask)


def assemble(table: Table, ask: Ask) -> Dataset:
    """A data set out of a table's cells."""
    file = table.files[0]
    if not len(table):
        if ask.faults:
            return Dataset([], notes=list(table.notes))
        raise DataError("the table has no rows", file=file)
    roles = _columns.find_roles(table, ask)
    choice = _columns.choose_labels(table, roles, ask)
    space, labels, bad = _encode.encode(table, choice, ask)
    notes = [*table.notes, *_notes(table, roles, choice, space, labels, ask)]
    splits = row_splits(table, roles, ask.faults, bad)
    groups = [cell.strip() or None for cell in map(str, table.columns[roles.group])] if roles.group else None
    samples = _samples(table, roles, labels, splits, groups, bad, ask.faults, notes)
    return Dataset(samples, space, notes=notes)


def _samples(
    table: Table,
    roles: _columns.Roles,
    labels: list[Label | None],
    splits: list[str | None] | None,
    groups: list[str | None] | None,
    bad: set[int],
    faults: Faults,
    notes: list[str],
) -> list[Sample]:
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    cells, look, lines = table.columns[roles.image], roles.files.look, table.lines
    for i, cell in enumerate(cells):
        picture: Path | bytes | None
        if roles.embedded:
            name, picture = embedded_picture(cell, table, i, faults)
        else:
            name, picture = named_picture(cell, roles, look)
            if picture is None:
                faults.add_error(roles.files.why_not(name, table.file(i), table.at(i)))
        if picture is None or i in bad:
            continue
        count = seen[name] = seen.get(name, 0) + 1
        samples.append(
            Sample(
                name if count == 1 else f"{name}#{lines[i]}",
                {"image": picture},
                labels[i],
                splits[i] if splits else None,
                groups[i] if groups else None,
                lines[i],
            )
        )
    repeated = sum(count - 1 for count in seen.values())
    if repeated:
        notes.append(f"{repeated} rows repeat a picture: {listed((name for name, count in seen.items() if count > 1), 3)}")
    return samples


def named_picture(cell: Any, roles: _columns.Roles, look) -> tuple[str, Path | None]:
    """The picture's name and file: the cell as it stands, without blanks around it, or without a spreadsheet's guard."""
    text = str(cell)
    name = roles.path(text)
    picture = look(name)
    if picture is None:
        for other in (text.strip(), csv_plain(text)):
            if other != text and (found := look(roles.path(other))) is not None:
                return roles.path(other), found
    return name, picture


def embedded_picture(cell: Any, table: Table, row: int, faults: Faults) -> tuple[str, bytes | None]:
    """The encoded picture in a Parquet cell: bytes, or a struct of bytes and path."""
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if not isinstance(data, bytes):
        faults.add("no picture in the cell", file=table.file(row), at=table.at(row))
        return "", None
    return str(path or f"row {table.lines[row]}"), data


def row_splits(table: Table, roles: _columns.Roles, faults: Faults, bad: set[int]) -> list[str | None] | None:
    if roles.split is None:
        return table.splits
    names = {cell: SPLITS.get(cell.strip().casefold()) for cell in set(table.columns[roles.split])}
    unknown = {cell for cell, split in names.items() if split is None and cell.strip()}
    if unknown:
        for i, cell in enumerate(table.columns[roles.split]):
            if cell in unknown:
                faults.add("unknown split", file=table.file(i), at=table.at(i, roles.split), value=cell, fix="train, val or test")
                bad.add(i)
    own = table.splits or [None] * len(table)
    return [names[cell] or own[i] for i, cell in enumerate(table.columns[roles.split])]


def _notes(
    table: Table, roles: _columns.Roles, choice: _columns.Choice, space: Space | None, labels: list[Label | None], ask: Ask
) -> list[str]:
    where = f" (looked up as {roles.path('…')})" if roles.prefix or roles.suffix else ""
    notes = [f"pictures: column {roles.image}{where}"]
    said = {
        "class": "one class of many", "onehot": "one class of many, a column of 0 and 1 each", "several": "several classes at once",
        "list": "lists of classes", "numbers": "numbers", "none": "none",
    }[choice.how]  # fmt: skip
    notes.append(f"labels: {said}" + (f", from {listed(choice.columns)}" if choice.columns else ""))
    unused = [name for name in roles.rest if name not in choice.columns]
    if unused:
        notes.append(f"columns not used: {listed(unused)}")
    if roles.split:
        notes.append(f"splits: column {roles.split}")
    if roles.group:
        notes.append(f"groups: column {roles.group}")
    missing = sum(label is None for label in labels)
    if missing and space is not None:
        hint = "; write [] for a picture that has none of the classes" if choice.how == "list" else ""
        notes.append(f"{missing} rows have no label{hint}")
    if ask.columns is None and len(choice.columns) == 1 and _columns.profile(table, choice.columns[0], ask).kind == "integer":
        notes.append("whole numbers were read as " + ("classes; a task for numbers reads them as such" if choice.how == "class" else "numbers"))
    return notes

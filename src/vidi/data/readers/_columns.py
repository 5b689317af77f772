"""What the columns of a table are: the picture, the split, the group, and the labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vidi.core.images import SUFFIXES
from vidi.data.readers._ask import Ask, listed
from vidi.data.readers._cells import Table
from vidi.data.readers._labels import number
from vidi.data.readers._scan import SPLITS, Files, hidden
from vidi.errors import DataError, nearest

PATHS = (
    "path", "file", "filename", "image", "image_path", "file_path", "filepath", "file_name", "img_path", "img", "image_file",
    "picture", "photo", "image_name", "image_id", "img_id", "id", "name",
)  # fmt: skip
CLASSES = ("label", "class", "target", "category", "labels", "tags", "classes", "tag", "categories", "class_name", "label_name", "targets")
_PLURAL = ("labels", "tags", "classes", "categories", "targets")
GROUPS = ("group", "patient", "patient_id", "patientid", "subject", "subject_id", "video", "video_id", "group_id")
_SPLIT_NAMES = ("split", "set", "subset", "partition", "phase", "fold")
TRUTHS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0}
_SUFFIXES = ("", ".jpg", ".png", ".jpeg", ".JPG", ".tif", ".tiff", ".bmp", ".webp", ".PNG", ".JPEG")
FEW = 30
"""At most so many different integers in a single label column are classes rather than numbers."""


def key(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


@dataclass(slots=True)
class Roles:
    """Columns by role.

    Args:
        image: the column that names the picture.
        prefix, suffix: what stands before and after each name on disk.
        files: where names are looked up.
        backslashes: names use ``\\``.
        split, group: their columns, or None.
        rest: columns that may be labels.
    """

    image: str
    files: Files
    prefix: str = ""
    suffix: str = ""
    backslashes: bool = False
    embedded: bool = False
    split: str | None = None
    group: str | None = None
    rest: list[str] = field(default_factory=list)

    def path(self, cell: str) -> str:
        if self.backslashes:
            cell = cell.replace("\\", "/")
        return self.prefix + cell.removeprefix("./") + self.suffix


def find_roles(table: Table, ask: Ask) -> Roles:
    """Which column does what.

    Raises:
        DataError: no column names pictures, or a named column is not there.
    """
    for name in (ask.image_column, ask.group_column, *(ask.label_columns or ())):
        if name is not None and name not in table.columns:
            close = nearest(name, table.columns)
            raise DataError(
                "no such column", file=table.files[0], value=name,
                fix=f"did you mean {', '.join(close)}?" if close else f"the columns are {', '.join(table.columns)}",
            )  # fmt: skip
    roles = _find_image(table, ask)
    free = [name for name in table.columns if name != roles.image]
    for name in free:
        if key(name) in _SPLIT_NAMES and name not in (ask.label_columns or ()) and _holds_splits(table.columns[name], key(name)):
            roles.split = name
            break
    by_key = {key(name): name for name in reversed(free)}
    roles.group = ask.group_column or next((by_key[name] for name in GROUPS if name in by_key and by_key[name] not in (ask.label_columns or ())), None)
    taken = {roles.image, roles.split, roles.group}
    roles.rest = [name for name in free if name not in taken]
    return roles


def _holds_splits(cells: list, name: str) -> bool:
    """A column called split is one; others (``set``) only if they hold nothing but names of splits."""
    values = {str(cell).strip().casefold() for cell in cells} - {""}
    return name == "split" or bool(values) and values <= set(SPLITS)


def _find_image(table: Table, ask: Ask) -> Roles:
    root = ask.root or table.files[0].parent
    candidates = [ask.image_column] if ask.image_column else _candidates(table)
    files = Files(root)
    best: tuple[int, Roles] | None = None
    for name in candidates:
        cells = table.columns[name]
        if any(isinstance(cell, (bytes, dict)) for cell in cells[:20]):
            return Roles(name, files, embedded=True)
        texts = [cell for cell in cells[:400] if isinstance(cell, str) and cell.strip()]
        texts = texts[:: max(1, len(texts) // 20)][:20]
        for prefix, suffix, slashes in _ways(table, files, texts):
            roles = Roles(name, files, prefix, suffix, slashes)
            hits = sum(files.look(roles.path(text)) is not None for text in texts)
            if hits and (best is None or hits > best[0]):
                best = (hits, roles)
            if texts and hits == len(texts):
                return roles
    if best is not None:
        return best[1]
    for name in candidates:
        if key(name) in PATHS[:-3] or name == ask.image_column or any(_has_suffix(cell) for cell in table.columns[name][:20]):
            return Roles(name, files, backslashes=False)
    raise DataError(
        "no column names pictures", file=table.files[0], value=", ".join(table.columns),
        fix=f"give a column `path` with names relative to {root}, or name the column in a data.yaml (image_column)",
    )  # fmt: skip


def _candidates(table: Table) -> list[str]:
    """Columns that may name pictures: those called so, then those whose cells end like pictures."""
    by_key = {key(name): name for name in reversed(list(table.columns))}
    called = [by_key[name] for name in PATHS if name in by_key]
    ending = [name for name, cells in table.columns.items() if name not in called and any(_has_suffix(cell) for cell in cells[:20])]
    embedded = [name for name, cells in table.columns.items() if any(isinstance(cell, (bytes, dict)) for cell in cells[:5])]
    return embedded + called + ending


def _has_suffix(cell: object) -> bool:
    return isinstance(cell, str) and os.path.splitext(cell.strip())[1].lower() in SUFFIXES


def _ways(table: Table, files: Files, texts: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Ways from a cell to a file: folders before it, endings after it, backslashes."""
    slashes = any("\\" in text for text in texts)
    suffixes = ("",) if any(_has_suffix(text) for text in texts) else _SUFFIXES
    for prefix in ("", *_subfolders(table, files)):
        for suffix in suffixes:
            yield prefix, suffix, False
            if slashes:
                yield prefix, suffix, True


def _subfolders(table: Table, files: Files) -> list[str]:
    """Folders that names may be relative to: the table's own inside the root, and those directly below the root."""
    own = os.path.realpath(table.files[0].parent)
    prefixes = [Path(own).relative_to(files.base).as_posix() + "/"] if own.startswith(files.base + os.sep) else []
    try:
        with os.scandir(files.base) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and not hidden(entry.name))
    except OSError:
        names = []
    return prefixes + [f"{name}/" for name in names[:50]]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a column's cells look like: ``empty``, ``binary``, ``integer``, ``number``, ``list`` or ``text``."""

    kind: str
    distinct: int
    separator: str | None = None


def profile(table: Table, name: str, ask: Ask) -> Profile:
    cells = table.columns[name]
    if any(isinstance(cell, list) for cell in cells[:1000]):
        return Profile("list", 0, "")
    values = {cell.strip() for cell in cells if isinstance(cell, str)} - {""}
    if not values:
        return Profile("empty", 0)
    if ask.separator:
        return Profile("list", len(values), ask.separator)
    numbers = [number(value, table.decimal) for value in values]
    known = {value for value in numbers if value is not None and value == value}
    whole = all(value == int(value) for value in known)
    if None not in numbers:
        return Profile("binary" if known <= {0.0, 1.0} else "integer" if whole else "number", len(known))
    if not whole and 2 * len(known) >= len(values):
        return Profile("number", len(known))  # the others are faults rather than classes
    if {value.casefold() for value in values} <= set(TRUTHS):
        return Profile("binary", len(values))
    if any(value.startswith("[") and value.endswith("]") and value != "[]" for value in values):
        return Profile("list", len(values), "")
    for separator in ("|", ";", ",") if key(name) in _PLURAL else ("|", ";"):
        if any(separator in value for value in values):
            return Profile("list", len(values), separator)
    return Profile("text", len(values))


@dataclass(frozen=True, slots=True)
class Choice:
    """How labels are read: ``class``, ``onehot``, ``several``, ``list``, ``numbers`` or ``none``, and from which columns."""

    how: str
    columns: tuple[str, ...] = ()
    separator: str | None = None


def choose_labels(table: Table, roles: Roles, ask: Ask) -> Choice:
    """How to read the labels: as the task wants, or as the columns look.

    Raises:
        DataError: the columns do not tell, or do not serve the task.
    """
    names = list(ask.label_columns or roles.rest)
    looks = {name: profile(table, name, ask) for name in names}
    if ask.columns == "class":
        return _for_class(table, names, looks, ask)
    if ask.columns == "classes":
        return _for_classes(table, names, looks, ask)
    if ask.columns == "numbers":
        return _for_numbers(table, names, looks, ask)
    return _as_it_looks(table, names, looks, ask)


def _called(names: list[str]) -> str | None:
    by_key = {key(name): name for name in reversed(names)}
    return next((by_key[name] for name in CLASSES if name in by_key), None)


def _unclear(table: Table, names: list[str], what: str) -> DataError:
    return DataError(
        what, file=table.files[0], value=", ".join(names) or "no further columns",
        fix="name the columns in a data.yaml (label_columns: [...]), or call the column `label`",
    )  # fmt: skip


def _for_class(table: Table, names: list[str], looks: dict[str, Profile], ask: Ask) -> Choice:
    named = _called(names) if ask.label_columns is None else None
    if named is not None and looks[named].kind != "empty":
        return Choice("class", (named,))
    filled = [name for name in names if looks[name].kind != "empty"]
    if len(filled) == 1:
        return Choice("class", tuple(filled))
    if len(filled) > 1 and all(looks[name].kind == "binary" for name in filled):
        return Choice("onehot", tuple(filled))
    texts = [name for name in filled if looks[name].kind == "text" and looks[name].distinct <= max(2, len(table) // 2)]
    if len(texts) == 1 and ask.label_columns is None:
        return Choice("class", tuple(texts))
    if not filled:
        return Choice("none")
    raise _unclear(table, names, "which column is the class?")


def _for_classes(table: Table, names: list[str], looks: dict[str, Profile], ask: Ask) -> Choice:
    if ask.label_columns is not None and len(names) > 1:
        return Choice("several", tuple(names))
    binary = [name for name in names if looks[name].kind == "binary"]
    lists = [name for name in names if looks[name].kind == "list"]
    named = _called(names)
    if named in lists:
        return Choice("list", (named,), looks[named].separator)
    if binary:
        return Choice("several", tuple(name for name in names if looks[name].kind in ("binary", "empty")))
    if len(lists) == 1:
        return Choice("list", (lists[0],), looks[lists[0]].separator)
    shares = [name for name in names if looks[name].kind == "number" and _all_shares(table, name)]
    if len(shares) > 1:
        return Choice("several", tuple(shares))
    single = named or (names[0] if len(names) == 1 else None)
    if single is not None and looks[single].kind in ("text", "integer"):
        return Choice("list", (single,), ask.separator or "|")
    if all(look.kind == "empty" for look in looks.values()):
        return Choice("none")
    raise _unclear(table, names, "which columns are the labels (several 0/1 columns, or one column of lists)?")


def _all_shares(table: Table, name: str) -> bool:
    values = [number(cell, table.decimal) for cell in set(table.columns[name])]
    return all(value is not None and not value < 0 and not value > 1 for value in values)


def _for_numbers(table: Table, names: list[str], looks: dict[str, Profile], ask: Ask) -> Choice:
    if ask.label_columns is not None:
        return Choice("numbers", tuple(names))
    named = _called(names)
    if named is not None and looks[named].kind in ("number", "integer", "binary"):
        return Choice("numbers", (named,))
    for kinds in (("number", "integer"), ("binary",)):
        columns = tuple(name for name in names if looks[name].kind in kinds)
        if columns:
            return Choice("numbers", columns)
    if all(look.kind == "empty" for look in looks.values()):
        return Choice("none")
    raise _unclear(table, names, "no column of numbers")


def _as_it_looks(table: Table, names: list[str], looks: dict[str, Profile], ask: Ask) -> Choice:
    named = _called(names) if ask.label_columns is None else None
    filled = [name for name in names if looks[name].kind != "empty"]
    if named is not None and looks[named].kind != "empty":
        filled = [named]
    if not filled:
        return Choice("none")
    if len(filled) == 1:
        name, look = filled[0], looks[filled[0]]
        if look.kind == "list":
            return Choice("list", (name,), look.separator)
        few = look.kind == "integer" and (look.distinct <= FEW or name in table.names or ask.names is not None)
        if look.kind in ("text", "binary") or few:
            return Choice("class", (name,))
        return Choice("numbers", (name,))
    if all(looks[name].kind == "binary" for name in filled):
        return Choice("several", tuple(name for name in names if looks[name].kind in ("binary", "empty")))
    if all(looks[name].kind in ("binary", "integer", "number") for name in filled):
        return Choice("numbers", tuple(filled))
    raise _unclear(table, filled, f"the columns do not tell what the labels are ({listed(filled)})")

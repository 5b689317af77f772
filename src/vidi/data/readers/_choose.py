"""Finding the reader for a path."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from vidi.core.discovery import load, names
from vidi.core.task import Task
from vidi.errors import DataError, nearest

ROOM = "data/readers"


def choose(path: Path, *, without: tuple[str, ...] = (), want: Task | None = None) -> tuple[str, ModuleType]:
    """The name and module of the reader for an existing path; of several that match, the one with the highest priority for the wanted
    task.

    Raises:
        DataError: none matches; the message lists the formats.
    """
    readers = [(name, load(ROOM, name)) for name in names(ROOM) if name not in without]
    readers.sort(key=lambda item: -_priority(item[1], path, want))
    for name, reader in readers:
        if reader.matches(path):
            return name, reader
    formats = "; ".join(f"{name}: {reader.MEANING}" for name, reader in readers)
    what = "the folder holds no pictures and no table of them" if path.is_dir() else "not a data set"
    raise DataError(what, file=path, fix=f"one of: {formats}")


def _priority(reader: ModuleType, path: Path, want: Task | None) -> int:
    if want is not None and hasattr(reader, "priority") and reader.matches(path):
        return reader.priority(want)
    return getattr(reader, "PRIORITY", 50)


def missing_path(path: Path) -> DataError:
    """The error for a path that is not there, with the nearest existing folder and the nearest names in it."""
    if "://" in str(path) or str(path).startswith(("http:/", "https:/", "s3:/", "gs:/")):
        return DataError("URLs are not read", file=path, fix="download the data and give its path")
    parent, name = path.parent, path.name
    while not parent.exists() and parent != parent.parent:
        parent, name = parent.parent, parent.name
    try:
        close = nearest(name, [entry.name for entry in parent.iterdir()])
    except OSError:
        close = []
    hint = f"; did you mean {', '.join(str(parent / other) for other in close)}?" if close else ""
    return DataError("no such file or folder", file=path, fix=f"the nearest folder that exists is {parent.resolve()}{hint}")

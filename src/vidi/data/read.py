"""Reading a data set: the format is found by looking, and the choice is stated."""

from __future__ import annotations

from pathlib import Path

from vidi.core.dataset import Dataset
from vidi.core.task import Task
from vidi.data._calm import calm
from vidi.data.readers._ask import Ask, Fault, Faults
from vidi.data.readers._choose import choose, missing_path


@calm
def read(
    path: str | Path | Dataset,
    *,
    task: Task | str | None = None,
    split: str | None = None,
    faults: list[Fault] | None = None,
    adapt: bool = True,
) -> Dataset:
    """Read a data set from a folder or file; no picture is decoded, but masks are.

    Class folders, folders of masks, tables (CSV, TSV, Parquet), COCO JSON, YOLO text files, Pascal VOC XML, idx files, a ``data.yaml`` and plain listings are understood; `Dataset.format` and
    `Dataset.notes` say what was chosen and seen.

    Args:
        path: a folder, a file, or a data set (returned as it is).
        task: what the data is for, which decides how label columns are read; None: told by the data.
        split: only the samples of ``train``, ``val`` or ``test``.
        faults: where to leave unusable rows and files, which are then left out; None: they are refused.
        adapt: turn labels into the task's kind where it knows how (`Task.adapt`); else they stay as they were read.

    Raises:
        DataError: nothing there, no reader for it, no such split, or faults (all of them in one error).
    """
    wanted = _task(task)
    if isinstance(path, Dataset):
        data = path
    else:
        path = Path(path).expanduser()
        if not path.exists():
            raise missing_path(path)
        found = Faults()
        name, reader = choose(path, want=wanted)
        data = reader.read(path, Ask(want=wanted, faults=found))
        if faults is None:
            found.check()
        else:
            faults.extend(found)
        data.format = name
        data.root = path
        data.name = _name(path)
        data.notes.insert(0, f"read as {name}")
    if adapt and wanted is not None:
        data = wanted.adapted(data)
    return data if split is None else _only(data, split)


def _task(task: Task | str | None) -> Task | None:
    if isinstance(task, str):
        from vidi.core.discovery import load, member

        return member(load("tasks", task), "task", "tasks")
    return task


def _name(path: Path) -> str:
    full = path.resolve()
    if full.is_dir():
        return full.name
    return full.parent.name if full.stem.casefold() in ("data", "dataset", "labels", "annotations", "metadata", "index") else full.stem


def _only(data: Dataset, split: str) -> Dataset:
    from vidi.data.readers._scan import SPLITS
    from vidi.errors import DataError

    part = data.split(SPLITS.get(split, split))
    if not part.samples:
        there = ", ".join(f"{name or 'unassigned'} ({count})" for name, count in data.splits.items()) or "none"
        raise DataError("no samples of this split", file=data.root, value=split, fix=f"the data has: {there}")
    return part

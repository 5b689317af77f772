"""From names to the table: which rows and columns there are, and every cell tried."""

from __future__ import annotations

import inspect
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from vidi.core import discovery
from vidi.core.console import progress, quiet
from vidi.core.discovery import load, member
from vidi.core.seeds import seed_everything
from vidi.errors import InputError, VidiError
from vidi.testing.matrix import _exempt
from vidi.testing.matrix._cell import BUG, FAIL, PASS, Cell, Found, sentence, verdict_of
from vidi.testing.matrix._row import Row, rows
from vidi.testing.matrix._table import Column, Matrix

ROOM = "testing/matrix"
ORDER = (
    "doctor", "convert", "augment", "crops", "anchors", "train", "resume", "save", "val", "compare", "predict", "track", "features", "benchmark",
    "robustness", "attack", "defend", "enhance", "denoiser", "adapt", "explain",
)  # fmt: skip
"""Columns in the order of a model's life; others follow by name."""
HOLE = "no column tries this verb, and none is stated to need none: add testing/matrix/{}.py"


def columns(wanted: Sequence[str] | None = None) -> list[Column]:
    """The columns there are, or those of names, verbs or paths.

    Raises:
        ChoiceError: no such column.
    """
    every = [_column(name) for name in sorted(discovery.names(ROOM), key=_place)]
    every = [column for column in every if set(column.verbs) <= set(discovery.names("verbs"))]
    if wanted is None:
        return [*every, *(Column(verb, (verb,), "no hole", None) for verb in holes(every))]
    chosen: dict[str, Column] = {}
    for name in wanted:
        own = [one for one in every if one.name == name] or [one for one in every if name in one.verbs] or [_column(name)]
        chosen |= {one.name: one for one in own}
    return list(chosen.values())


def holes(found: Sequence[Column] | None = None) -> list[str]:
    """Verbs that no column tries and no exemption explains."""
    found = columns() if found is None else found
    tried = {verb for column in found if column.check is not None for verb in column.verbs}
    return [verb for verb in discovery.names("verbs") if verb not in tried and verb not in _exempt.EXEMPT]


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _column(name: str) -> Column:
    module: ModuleType = load(ROOM, name)
    short = Path(name).stem if discovery.is_path(name) else name
    return Column(short, tuple(getattr(module, "VERBS", (short,))), (inspect.getdoc(module) or "").partition("\n")[0].rstrip("."), member(module, "check", ROOM))


def run(tasks: Sequence[str] | None, verbs: Sequence[str] | None, nets: str | Sequence[str] | None, seconds: float) -> Matrix:
    """See `vidi.testing.matrix.matrix`."""
    begun, threads = time.monotonic(), torch.get_num_threads()
    names = list(tasks) if tasks is not None else discovery.names("tasks")
    wanted = discovery.names("nets") if nets == "all" else [nets] if isinstance(nets, str) else nets
    table = Matrix(columns(verbs))
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="vidi-matrix-") as home, torch.random.fork_rng(devices=[]):
            found = list(rows(names, None if wanted is None else list(wanted), Path(home)))
            chosen = [row for row, refused in found if refused is None]
            table.rows = {row.name: _facts(row) for row in chosen}
            table.left_out = {row.name: sentence(refused) for row, refused in found if refused is not None}
            _check_offered(found, nets)
            with progress("matrix", len(chosen) * len(table.columns)) as bar:
                for row in chosen:
                    row.home.mkdir()
                    for column in table.columns:
                        late = time.monotonic() - begun > seconds
                        table.cells.append(Cell(row.name, column.name, FAIL, f"not begun after {seconds:g} s") if late else _try(row, column))
                        bar.update(len(table.cells), f"{row.name} {column.name}")
    finally:
        torch.set_num_threads(threads)
    table.seconds = time.monotonic() - begun
    return table


def _facts(row: Row) -> dict[str, Any]:
    return {"task": row.task_name, "net": row.net, "family": row.task.family, "primary": row.task.primary, "higher_is_better": row.task.higher_is_better}


def _check_offered(found: Sequence[tuple[Row, VidiError | None]], nets: Any) -> None:
    """
    Raises:
        InputError: a net that was named, and that none of the tasks can have.
    """
    if nets is None or nets == "all":
        return
    offered = {row.net for row, refused in found if refused is None}
    for row, refused in found:
        if row.net not in offered and refused is not None:
            raise InputError(f"none of the tasks can have this net: {refused.rule}", at="nets", value=row.net, fix=refused.fix)


def _try(row: Row, column: Column) -> Cell:
    """One cell; whatever is raised in it is its verdict."""
    begun = time.monotonic()
    if column.check is None:
        return Cell(row.name, column.name, FAIL, HOLE.format(column.name))
    seed_everything(0)
    try:
        with quiet():
            found = column.check(row)
        if not isinstance(found, Found):
            return Cell(row.name, column.name, BUG, f"`check` gives {type(found).__name__}, not Found")
    except Exception as error:
        verdict, words = verdict_of(error)
        return Cell(row.name, column.name, verdict, words, seconds=time.monotonic() - begun)
    return Cell(row.name, column.name, PASS if found.holds else FAIL, found.words, found.numbers, found.note, time.monotonic() - begun)

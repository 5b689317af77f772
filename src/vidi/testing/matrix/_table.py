"""The table that the matrix is: for a terminal, as a page, as JSON."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import vidi
from vidi.core.files import write_json, write_text
from vidi.testing.matrix._cell import BUG, FAIL, NO, PASS, VERDICTS, Cell, Found
from vidi.testing.matrix._exempt import EXEMPT

COLORS = {PASS: "green", NO: "yellow", FAIL: "bold red", BUG: "bold magenta"}


@dataclass(frozen=True, slots=True)
class Column:
    """A behavior that is checked.

    Args:
        name: its file's.
        verbs: that it tries.
        behavior: in one sentence.
        check: of a row; None: there is none, which is a hole.
    """

    name: str
    verbs: tuple[str, ...]
    behavior: str
    check: Callable[[Any], Found] | None


@dataclass
class Matrix:
    """Cells by row and column.

    Attributes:
        columns: in order.
        rows: facts about each row, by its name.
        cells: row by row.
        left_out: why a net does not offer a task, by what the row would be called.
        seconds: it took in all.
    """

    columns: list[Column]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def __getitem__(self, place: tuple[str, str]) -> Cell:
        """The cell of a row and a column, by their names."""
        return next(cell for cell in self.cells if (cell.row, cell.column) == place)

    @property
    def faults(self) -> list[Cell]:
        """Cells that fail, or show a bug."""
        return [cell for cell in self.cells if cell.verdict in (FAIL, BUG)]

    @property
    def counts(self) -> dict[str, int]:
        """Cells by verdict."""
        return {verdict: sum(cell.verdict == verdict for cell in self.cells) for verdict in VERDICTS}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: kind, numbers (``ROW.COLUMN.NUMBER`` and cells by verdict), about (rows, columns, cells, versions)."""
        numbers: dict[str, Any] = {f"{cell.row}.{cell.column}.{key}": value for cell in self.cells for key, value in cell.numbers.items()}
        about = {
            "rows": self.rows, "columns": {column.name: {"verbs": list(column.verbs), "behavior": column.behavior} for column in self.columns},
            "cells": [cell.to_dict() for cell in self.cells], "left_out": self.left_out, "exempt": EXEMPT, "versions": versions(),
        }  # fmt: skip
        return {"kind": "matrix", "numbers": self.counts | numbers, "about": about}

    def save(self, path: str | Path) -> Path:
        """Write `to_dict` as a JSON file, or `markdown` where the name ends in ``.md``."""
        path = Path(path)
        if path.suffix == ".md":
            write_text(path, self.markdown())
        else:
            write_json(path, self.to_dict())
        return path

    def text(self, width: int = 180) -> str:
        """The table for a terminal, without colors, then what is behind each cell that does not pass."""
        from rich.console import Console

        out = Console(file=io.StringIO(), width=width, no_color=True, highlight=False)
        self.show(out)
        file: Any = out.file
        return file.getvalue().rstrip("\n")

    def show(self, console: Any) -> None:
        """The same on a `rich` console."""
        from rich.markup import escape
        from rich.table import Table

        table = Table("", show_lines=True)
        for name in self.rows:
            table.add_column(escape(name), overflow="fold")
        for column in self.columns:
            cells = [self[name, column.name] for name in self.rows]
            table.add_row(column.name, *(f"[{COLORS[cell.verdict]}]{escape(_short(cell))}[/]" for cell in cells))
        console.print(table)
        for cell in self.cells:
            if cell.verdict != PASS or cell.note:
                console.print(f"{escape(cell.row)} · {cell.column}: [{COLORS[cell.verdict]}]{cell.verdict}[/]: {escape(cell.note or cell.words)}")
        if self.left_out:
            console.print(f"{len(self.left_out)} pairs of a task and a net that do not go together have no row; `left_out` says why")
        console.print(", ".join(f"{count} {verdict}" for verdict, count in self.counts.items()) + f" in {self.seconds:.0f} s")

    def markdown(self) -> str:
        """A page of the docs: the table with numbers, reasons as footnotes, a legend. The same for the same versions and numbers."""
        notes: dict[str, int] = {}
        heads = [f"{name} ({facts['net']})" for name, facts in self.rows.items()]
        lines = [INTRODUCTION, f"| | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
        for column in self.columns:
            cells = [self[name, column.name] for name in self.rows]
            lines.append(f"| **{column.name}** | " + " | ".join(_marked(cell, notes) for cell in cells) + " |")
        lines += ["", f"{', '.join(f'{count} {verdict}' for verdict, count in self.counts.items())}. {_versions_line()}", "", "## What is checked", ""]
        lines += [f"* **{column.name}**: {column.behavior}." for column in self.columns]
        lines += ["", "## Reasons", "", *(f"{number}. {_cell_text(text)}" for text, number in notes.items())] if notes else []
        lines += ["", "## Verdicts", "", *(f"* **{verdict}**: {meaning}." for verdict, meaning in VERDICTS.items())]
        lines += ["", "## Verbs that are not checked here", "", *(f"* `{verb}` {reason}." for verb, reason in EXEMPT.items()), ""]
        return "\n".join(lines)


INTRODUCTION = """<!-- Made by `make matrix`; changes by hand are lost. -->

# The matrix

Every task's toy data through every verb, checking behavior. Each task has its default net, small and trained for seconds; numbers are those of the
held-out part, small as it is, and stand for the behavior alone, not for what a net can do. `make matrix` makes this page,
`vidi.testing.matrix(tasks=["./mine.py"])` or `matrix(nets=["./mine.py"])` a table with a task or net of one's own.
"""


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    return {"vidi": vidi.__version__, "torch": str(torch.__version__), "python": platform.python_version()}


def _versions_line() -> str:
    return "Made with " + ", ".join(f"{name} {version}" for name, version in versions().items()) + "."


def _short(cell: Cell) -> str:
    return cell.words if cell.verdict == PASS else cell.verdict if cell.verdict != FAIL else f"FAIL {cell.words[:60]}"


def _marked(cell: Cell, notes: dict[str, int]) -> str:
    if cell.verdict == PASS:
        return _cell_text(cell.words) + (f" ({notes.setdefault(cell.note, len(notes) + 1)})" if cell.note else "")
    number = notes.setdefault(cell.words, len(notes) + 1)
    return f"{cell.verdict} ({number})" if cell.verdict == NO else f"**{cell.verdict}** ({number})"


def _cell_text(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

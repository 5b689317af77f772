"""A report's numbers for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidi.report._plain import cell, number, plain, visible

if TYPE_CHECKING:
    from vidi.report.report import Report


MOST_ROWS = 60


def columns(text: str) -> int:
    """How many terminal columns a line takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def align(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of cells as lines of equal columns; those listed in `right` are set flush right."""
    if not rows:
        return []
    widths = [max(columns(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        parts = []
        for i, (value, width) in enumerate(zip(row, widths)):
            pad = " " * (width - columns(value))
            parts.append(pad + value if i in right else value + pad)
        lines.append("  ".join(parts).rstrip())
    return lines


def text(report: Report) -> str:
    """Name, value, interval and n of every number, under a line that says what they are about; then the tables, shortened."""
    intervals, counts = plain(report.intervals), plain(report.n)
    head = [visible(report.about[key]) for key in ("model", "data") if report.about.get(key)]
    rows = []
    for name, value in plain(report.numbers).items():
        pair = intervals.get(name)
        signed = name.endswith(".difference")
        interval = f"{number(pair[0], signed)} … {number(pair[1], signed)}" if pair else ""
        rows.append([visible(name), number(value, signed), interval, f"n {cell(counts[name])}" if name in counts else ""])
    used = [i for i in range(4) if i < 2 or any(row[i] for row in rows)]
    body = align([[row[i] for i in used] for row in rows], right=(1,)) or ["no numbers"]
    tables = [line for section in report.sections if section.get("kind") == "table" for line in _table(section)]
    return "\n".join(["  ".join([visible(report.kind), *head]), *body, *tables])


def _table(section: dict) -> list[str]:
    """A table section as lines: title, header and at most 60 rows, cells cut to 100 columns."""
    rows = [[cell(value) for value in row] for row in section.get("rows", [])]
    names = [visible(name) for name in section.get("columns", [])]
    if not rows or any(len(row) != len(names) for row in rows):
        return []
    shown = [[value if len(value) <= 100 else value[:99] + "…" for value in row] for row in (names, *rows[:MOST_ROWS])]
    more = [f"… {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []
    return ["", visible(section.get("title", "")), *align(shown), *more]

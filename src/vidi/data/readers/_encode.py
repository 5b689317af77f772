"""Cells to labels."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

import numpy as np

from vidi.core.files import csv_plain
from vidi.core.space import Space
from vidi.data.readers._ask import Ask
from vidi.data.readers._cells import Table
from vidi.data.readers._columns import TRUTHS, Choice
from vidi.data.readers._labels import class_space, number
from vidi.data.readers._scan import natural
from vidi.errors import nearest
from vidi.labels import Classification, Label, Regression

LARGEST = float(np.finfo(np.float32).max)
Encoded = tuple[Space | None, list[Label | None], set[int]]


def encode(table: Table, choice: Choice, ask: Ask) -> Encoded:
    """What the labels mean, a label per row (None: missing), and the rows whose labels are faulty."""
    if choice.how == "none":
        return None, [None] * len(table), set()
    return {"class": _class, "onehot": _onehot, "several": _several, "list": _list, "numbers": _numbers}[choice.how](table, choice, ask)


def class_name(cell: str, decimal: str = ".") -> str:
    """A class's name as a cell spells it: ``3.0`` is ``3`` (as data frames write integers beside gaps)."""
    text = csv_plain(cell.strip())
    if text[:1].isdigit() and text.endswith(f"{decimal}0") and text[:-2].isdigit():
        return text[:-2]
    return text


def _known_names(table: Table, column: str, ask: Ask) -> list[str] | None:
    return list(ask.names) if ask.names is not None else table.names.get(column)


def _index(names: list[str], name: str, numbered: bool) -> int | None:
    """A class's index by its name or, where names were given for numbers, by its number."""
    if numbered and name.isdigit() and name not in names:
        return int(name) if int(name) < len(names) else None
    return names.index(name) if name in names else None


def _unknown(table: Table, row: int, column: str, value: str, names: list[str], ask: Ask) -> None:
    close = nearest(value, names)
    ask.faults.add(
        "unknown class", file=table.file(row), at=table.at(row, column), value=value,
        fix=f"did you mean {', '.join(close)}?" if close else "add it to names",
    )  # fmt: skip


def _class(table: Table, choice: Choice, ask: Ask) -> Encoded:
    column = choice.columns[0]
    cells = [cell if isinstance(cell, str) else str(cell) for cell in table.columns[column]]
    given = _known_names(table, column, ask)
    exact = set(given or ())
    spelled = {cell: plain if (plain := csv_plain(cell)) in exact else class_name(cell, table.decimal) for cell in set(cells)}
    names = given or sorted({name for name in spelled.values() if name}, key=natural)
    by_cell: dict[str, Label | None] = {}
    labels = [Classification.one_hot(i, len(names)) for i in range(len(names))]
    unknown = set()
    for cell, name in spelled.items():
        index = _index(names, name, given is not None) if name else None
        by_cell[cell] = labels[index] if index is not None else None
        if name and index is None:
            unknown.add(cell)
    bad = set()
    if unknown:
        for i, cell in enumerate(cells):
            if cell in unknown:
                _unknown(table, i, column, spelled[cell], names, ask)
                bad.add(i)
    return class_space(names, ask), [by_cell[cell] for cell in cells], bad


def _matrix(table: Table, columns: tuple[str, ...], parse, ask: Ask, rule: str, fix: str) -> tuple[np.ndarray, set[int]]:
    """(N, columns) float32 with NaN for missing cells, and the rows with faults."""
    values = np.full((len(table), len(columns)), np.nan, np.float32)
    bad: set[int] = set()
    for j, column in enumerate(columns):
        cells = table.columns[column]
        parsed = {cell: parse(cell) for cell in set(cells)}
        wrong = {cell for cell, value in parsed.items() if value is None}
        if wrong:
            for i, cell in enumerate(cells):
                if cell in wrong:
                    ask.faults.add(rule, file=table.file(i), at=table.at(i, column), value=cell, fix=fix)
                    bad.add(i)
            parsed |= dict.fromkeys(wrong, math.nan)
        values[:, j] = [parsed[cell] for cell in cells]
    return values, bad


def _truths(table: Table, choice: Choice, ask: Ask) -> tuple[np.ndarray, set[int]]:
    def parse(cell: str) -> float | None:
        truth = TRUTHS.get(cell.strip().casefold())
        if truth is not None:
            return truth
        value = number(cell, table.decimal)
        return None if value is None or value < 0 or value > 1 else value

    return _matrix(table, choice.columns, parse, ask, "neither 0 nor 1", "0, 1, or empty for unknown")


def _names_of_columns(choice: Choice, ask: Ask) -> tuple[str, ...]:
    return tuple(ask.names) if ask.names is not None and len(ask.names) == len(choice.columns) else choice.columns


def _several(table: Table, choice: Choice, ask: Ask) -> Encoded:
    values, bad = _truths(table, choice, ask)
    unknown = np.isnan(values).all(1)
    labels: list[Label | None] = [None if gone else Classification(row) for row, gone in zip(values, unknown)]
    return Space("Classification", _names_of_columns(choice, ask), exclusive=False), labels, bad


def _onehot(table: Table, choice: Choice, ask: Ask) -> Encoded:
    values, bad = _truths(table, choice, ask)
    unknown = np.isnan(values).all(1)
    filled = np.nan_to_num(values)
    wrong = ~unknown & (((filled != 0) & (filled != 1)).any(1) | (filled.sum(1) != 1))
    for i in map(int, np.flatnonzero(wrong)):
        if i not in bad:
            ask.faults.add(
                f"{int(filled[i].sum())} of the {len(choice.columns)} classes hold, where exactly one should", file=table.file(i),
                at=table.at(i), value=", ".join(name for name, value in zip(choice.columns, filled[i]) if value), fix="use a task for several classes at once",
            )  # fmt: skip
            bad.add(i)
    shared = [Classification.one_hot(i, len(choice.columns)) for i in range(len(choice.columns))]
    labels: list[Label | None] = [None if gone or i in bad else shared[k] for i, (k, gone) in enumerate(zip(filled.argmax(1), unknown))]
    return class_space(_names_of_columns(choice, ask), ask), labels, bad


def parse_list(cell: Any, separator: str) -> list[str] | None:
    """The items of a list cell; None for a missing list. ``[]`` (or the separator alone) is an empty list."""
    if isinstance(cell, list):
        return [item.strip() for item in cell if item.strip()]
    text = cell.strip()
    if not text:
        return None
    if text.startswith("[") and text.endswith("]"):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            try:
                items = ast.literal_eval(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                items = [item.strip().strip("'\"") for item in text[1:-1].split(",")]
        return [csv_plain(str(item).strip()) for item in items if str(item).strip()]
    parts = text.split(separator) if separator.strip() else text.split() if separator else [text]
    return [csv_plain(part.strip()) for part in parts if part.strip()]


def _list(table: Table, choice: Choice, ask: Ask) -> Encoded:
    column = choice.columns[0]
    cells = table.columns[column]
    keys = [tuple(cell) if isinstance(cell, list) else cell for cell in cells]
    items = {key: parse_list(list(key) if isinstance(key, tuple) else key, choice.separator or "") for key in set(keys)}
    given = _known_names(table, column, ask)
    names = given or sorted({item for parts in items.values() for item in parts or ()}, key=natural)
    place = {name: i for i, name in enumerate(names)}
    labels: dict[Any, Label | None] = {}
    unknown: dict[Any, str] = {}
    for key, parts in items.items():
        values = np.zeros(len(names), np.float32)
        for part in parts or ():
            index = place.get(part)
            if index is None and given is not None:
                index = _index(names, part, True)
            if index is None:
                unknown[key] = part
            else:
                values[index] = 1
        labels[key] = None if parts is None else Classification(values)
    bad = {i for i, key in enumerate(keys) if key in unknown}
    for i in sorted(bad):
        _unknown(table, i, column, unknown[keys[i]], names, ask)
    return Space("Classification", tuple(names), exclusive=False), [labels[key] for key in keys], bad


def _numbers(table: Table, choice: Choice, ask: Ask) -> Encoded:
    def parse(cell: Any) -> float | None:
        value = number(cell, table.decimal) if isinstance(cell, str) else None
        return None if value is None or abs(value) > LARGEST else value

    values, bad = _matrix(table, choice.columns, parse, ask, "not a finite number of 32 bits", "a number, or empty for unknown")
    unknown = np.isnan(values).all(1)
    labels: list[Label | None] = [None if gone else Regression(row) for row, gone in zip(values, unknown)]
    return Space("Regression", tuple(choice.columns)), labels, bad

"""What a reader is asked for, and where it leaves the faults it finds.

A reader is a file of this folder with ``MEANING`` (one line), ``matches(path) -> bool``, ``read(path, ask) -> Dataset`` and, where
several formats may claim one folder, ``PRIORITY`` (the highest wins; 50 when absent) and ``priority(want) -> int`` (the same where it depends on
the wanted task).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidi.core.task import Task
from vidi.data.readers._mask_ask import MaskAsk
from vidi.errors import DataError, InputError

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing in a data set that cannot be used: a row, a file or a label."""

    rule: str
    file: Any = None
    at: Any = None
    value: Any = None
    fix: str | None = None

    def line(self) -> str:
        parts = [str(part) for part in (self.at, self.rule) if part is not None]
        return ": ".join(parts) + (f" ({str(self.value)[:60]})" if self.value is not None else "")


class Faults(list[Fault]):
    """Every fault of a data set, reported together."""

    def add(self, rule: str, *, file: Any = None, at: Any = None, value: Any = None, fix: str | None = None) -> None:
        self.append(Fault(rule, file, at, value, fix))

    def add_error(self, error: InputError, *, file: Any = None, at: Any = None) -> None:
        self.add(error.rule, file=file or error.file, at=at or error.at, value=error.value, fix=error.fix)

    def check(self) -> None:
        """Raise one `DataError` for all faults: the first in its fields, the count and up to 20 of them in its rule."""
        if not self:
            return
        first = self[0]
        rule = first.rule
        if len(self) > 1:
            more = "; ".join(fault.line() for fault in self[1:SHOWN])
            rest = f"; and {len(self) - SHOWN} more" if len(self) > SHOWN else ""
            rule = f"{first.rule} [{len(self)} faults, this is the first; then {more}{rest}]"
        raise DataError(rule, file=first.file, at=first.at, value=first.value, fix=first.fix)


@dataclass(slots=True)
class Ask:
    """What is wanted of a data set, and what is already known about it.

    Args:
        want: the task the data is for; None: told by the data.
        faults: where faults are left.
        names: class names by index, where a ``data.yaml`` gives them.
        ids: the number each class has elsewhere (`Space.ids`), where a ``data.yaml`` gives them.
        image_column, label_columns, group_column, separator: how to read tables, where a ``data.yaml`` says so.
        labels: ``class``, ``classes`` or ``numbers``, where a ``data.yaml`` says so and no task is wanted.
        masks: how to read masks and run lengths, where a ``data.yaml`` says so.
        root: the folder that pictures must lie in; None: the folder of the table or listing.
    """

    want: Task | None = None
    faults: Faults = field(default_factory=Faults)
    names: tuple[str, ...] | None = None
    ids: tuple[int, ...] | None = None
    image_column: str | None = None
    label_columns: tuple[str, ...] | None = None
    group_column: str | None = None
    separator: str | None = None
    labels: str | None = None
    masks: MaskAsk = field(default_factory=MaskAsk)
    root: Path | None = None

    @property
    def columns(self) -> str | None:
        """``class``, ``classes``, ``numbers`` or None."""
        return self.want.columns if self.want is not None and self.want.columns is not None else self.labels


def listed(items: Iterable[str], limit: int = 5) -> str:
    """A few items for a sentence: ``a, b, c and 7 more``."""
    items = list(items)
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more

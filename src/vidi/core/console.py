"""What vidi says while it works: plain lines and progress bars on the error stream, so that results own the output stream."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

_quiet = False


def set_quiet(quiet: bool) -> None:
    """Silence `say` and `progress` (``--json``, ``verbose=false``)."""
    global _quiet
    _quiet = quiet


@contextlib.contextmanager
def quiet(on: bool = True) -> Iterator[None]:
    """Silence for the length of a block."""
    before = _quiet
    set_quiet(before or on)
    try:
        yield
    finally:
        set_quiet(before)


def say(text: str) -> None:
    """One line for the user."""
    if not _quiet:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Bar(Protocol):
    def update(self, done: int, note: str = "") -> None: ...


class _Silent:
    def update(self, done: int, note: str = "") -> None:
        pass


class _Rich:
    def __init__(self, bar, task) -> None:
        self._bar, self._task = bar, task

    def update(self, done: int, note: str = "") -> None:
        self._bar.update(self._task, completed=done, note=note)


class _Lines:
    """For logs: a plain line now and then, seldom enough to read."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._start = title, total, time.monotonic()
        self._next = self._start + 10

    def update(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if now < self._next and done < self._total:
            return
        if done >= self._total and now - self._start < 10:
            return
        self._next = now + max(10.0, (now - self._start) * 0.2)
        left = (now - self._start) / max(1, done) * (self._total - done)
        say(f"{self._title}: {done}/{self._total} · {left:.0f} s left {note}".rstrip())


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Bar]:
    """A progress bar with rate and time left; plain lines when the error stream is not a terminal."""
    if _quiet or total <= 0:
        yield _Silent()
    elif not sys.stderr.isatty():
        yield _Lines(title, total)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            yield _Rich(bar, bar.add_task(title, total=total, note=""))

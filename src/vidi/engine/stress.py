"""Scoring a net under stress: every strength of every stress is a cell, and finished cells are lines of a file, so that a second run goes on.

Everything happens on the net's canvas: pictures are decoded once, changed, rounded to 8 bits as a camera would, and shown to the net; labels
move with them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from vidi.augmentations._pipeline import Pipeline
from vidi.core.augmentation import Augmentation
from vidi.core.batch import Batch, check_batch
from vidi.core.console import Bar, progress
from vidi.core.dataset import Dataset
from vidi.core.discovery import load
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw
from vidi.core.task import Task
from vidi.core.tensors import digest
from vidi.engine.decoding import decoding
from vidi.engine.evaluate import SCORED_FROM, make_loader, moments, same_family
from vidi.engine.infer import forward_of, to_float
from vidi.engine.thing_pictures import SHOWN_SCORE
from vidi.errors import InputError
from vidi.labels import Label
from vidi.metrics._bootstrap import Reading, bootstrap
from vidi.metrics._evaluate import kept_groups, told_badness
from vidi.metrics._pairs import metrics_for, pair, predicted_family
from vidi.nets.enhance._steps import calls_of
from vidi.report._plain import plain

Change = Callable[[Batch, Draw], Batch]
CLEAN = "clean"
MOST_PIXELS = 4_000_000
"""Pixels of a step: random numbers for each take several times the memory of the pictures."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One strength of one stress.

    Args:
        stress, family: names.
        severity: 1..5; 0 for clean pictures.
        change: what it does to a batch of float pictures in 0..1, and to their labels; None: nothing.
        settings: all that the change depends on, in words; a cell with others is another one.
    """

    stress: str
    family: str
    severity: int
    change: Change | None = None
    settings: str = ""

    @classmethod
    def of(cls, stress: str, family: str, severity: int, level: Augmentation, size: tuple[int, int]) -> Cell:
        """The cell of an augmentation with pinned settings, on canvases of (height, width)."""
        tables = [getattr(level, name, None) for name in ("SMALL", "LARGE")]
        return cls(stress, family, severity, Pipeline([level], size), f"{level!r} {tables}")


@dataclass(slots=True)
class Outcome:
    """What came of a cell.

    Args:
        score: the task's primary number; None where undefined.
        resamples: (R,) float64 the same for R resamples of the pictures, which all cells share; NaN where undefined.
        agreement: (N,) float64 how far prediction and truth agree, by picture; NaN without truth.
        failed: (N,) bool, predictions that contradict the truth.
        seconds: it took.
    """

    cell: Cell
    score: float | None
    resamples: np.ndarray
    agreement: np.ndarray
    failed: np.ndarray
    seconds: float = 0.0


class Bench:
    """A net and a labeled data set, ready to be stressed. Close it after use.

    Args:
        net: on `device`.
        dataset: all of its pictures are used.
        preprocess: how pictures come to the net's canvas.
        batch: pictures per step; fewer where they have more than `MOST_PIXELS` together.
        settings: what the metric needs to know (thresholds).
        intervals: resamples.
        seed: of the changes and the resamples.

    Attributes:
        leeway: differences that do not count as failures, see `Label.contradicts`.
        labeled: every picture has a label of the predictions' kind.

    Raises:
        InputError: none of the task's metrics gives its primary number.
    """

    def __init__(
        self, net: Net, dataset: Dataset, task: Task, preprocess: Preprocess, *, device: torch.device, batch: int = 64,
        settings: Mapping[str, Any] | None = None, intervals: int = 100, seed: int = 0,
    ):  # fmt: skip
        self.net, self.dataset, self.task, self.device = net, dataset, task, device
        self.size, self.intervals, self.seed = preprocess.size, intervals, seed
        check_batch(batch)
        self.loader = make_loader(dataset, preprocess, min(batch, max(1, MOST_PIXELS // (preprocess.size[0] * preprocess.size[1]))))
        self.space = net.space if same_family(net) or dataset.space is None else dataset.space
        self.metric = primary_metric(task, self.space)
        self.settings = {**(settings or {}), **moments(dataset)}
        self.groups = self.settings.get("groups")
        names, least = max(1, len(net.predicts.names or self.space.names)), self.settings.get("thresholds")
        self._least = np.full(names, SHOWN_SCORE) if least is None else np.asarray(least, np.float64)
        known = [label for label in dataset.labels if label is not None]
        self.leeway = type(known[0]).leeway(known) if known and same_family(net) else None
        self.labeled = same_family(net) and len(known) == len(dataset)
        self._forward = forward_of(net, device)

    def close(self) -> None:
        self.loader.store.close()

    def key(self) -> str:
        """16 hex digits over all that outcomes depend on: weights, steps in front of the net, data, canvas, settings."""
        facts = {
            "weights": digest(self.net.state_dict()), "enhance": calls_of(self.net), "data": self.dataset.fingerprint(), "canvas": self.loader.store.preprocess.to_dict(),
            "metric": self.metric.__name__, "primary": self.task.primary, "thresholds": self._least.tolist(), "intervals": self.intervals, "seed": self.seed,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(plain(facts), sort_keys=True).encode()).hexdigest()[:16]

    def run(self, cell: Cell, step: Callable[[int], None] | None = None) -> Outcome:
        """Score a cell; the net is put into evaluation mode and left so.

        Args:
            step: told how many pictures are done after each batch.
        """
        begun = time.monotonic()
        truth: list[Label | None] = []
        found: list[Label] = []
        stream = self.loader.batches(np.arange(len(self.dataset)))
        try:
            for batch in stream:
                changed, guesses = self.answers(cell, batch)
                truth += [None if label is None else label.compact() for label in changed.labels]
                found += [label.compact() for label in guesses]
                if step is not None:
                    step(len(found))
        finally:
            stream.close()  # type: ignore[attr-defined]
        score, resamples, badness = self._score(truth, found)
        agreement, failed = (1 - badness, badness > 0.5) if badness is not None else self._compared(truth, found)
        return Outcome(cell, score, resamples, agreement, failed, time.monotonic() - begun)

    def answers(self, cell: Cell, batch: Batch) -> tuple[Batch, list[Label]]:
        """A batch of the loader after the cell's change, and what the net says of it, both on the canvas."""
        self.net.eval()
        batch = to_float(batch, self.device)
        if cell.change is not None:
            batch = cell.change(batch, Draw.samples(self.seed, 0, batch.indices))
            rounded = batch.inputs["image"].mul(255).round_().clamp_(0, 255).div_(255)
            batch.inputs["image"] = rounded.contiguous(memory_format=torch.channels_last)
        own: Any = getattr(self.net, "conf", None)
        with decoding(self.net, conf=None if own is None else min(own, SCORED_FROM)), torch.inference_mode():
            return batch, self.net.decode(self._forward(batch.inputs))

    def shown(self, label: Label) -> Label:
        """A prediction as it is judged and drawn: without things whose score lies under their class's threshold."""
        return label.confident(self._least)

    def picture(self, cell: Cell, index: int) -> tuple[np.ndarray, Label, Label | None]:
        """One sample under a cell: pixels (H, W, 3) uint8, prediction, truth."""
        batch, guesses = self.answers(cell, next(iter(self.loader.batches(np.array([index]), prefetch=0))))
        pixels = batch.inputs["image"][0].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()
        return np.ascontiguousarray(pixels), self.shown(guesses[0]), batch.labels[0]

    def _score(self, truth: list[Label | None], found: list[Label]) -> tuple[float | None, np.ndarray, np.ndarray | None]:
        """The primary number, that of each resample, and how wrong each picture is where truth and prediction are of two families."""
        pairs = pair(truth, found, self.space, None, predicted_family([self.metric], self.space))
        reading = Reading(self.metric, pairs, pairs.settings(self.settings, len(truth)))
        score, name = reading.numbers.get(self.task.primary), self.task.primary
        values = np.full(self.intervals, np.nan)
        if score is not None and self.intervals and pairs.informative().sum() > 1:
            drawn = bootstrap([[reading]], len(pairs), self.intervals, self.seed, kept_groups(self.groups, pairs, len(truth)))[0]
            values = drawn.get(name, values)
        badness = None if same_family(self.net) else told_badness([reading], pairs, len(truth))
        return score, np.asarray(values, np.float64), badness

    def _compared(self, truth: list[Label | None], found: list[Label]) -> tuple[np.ndarray, np.ndarray]:
        """How far each prediction agrees with the truth, and whether it contradicts it."""
        agreement, failed = np.full(len(found), np.nan), np.zeros(len(found), bool)
        for i, (label, guess) in enumerate(zip(truth, map(self.shown, found))):
            if label is not None:
                agreement[i] = round(label.agreement(guess), 4)
                failed[i] = label.contradicts(guess, self.leeway)
        return agreement, failed


def primary_metric(task: Task, space: Any) -> ModuleType:
    """The metric that gives a task's primary number.

    Raises:
        InputError: none of the task's metrics does.
    """
    for name in task.metrics:
        if task.primary in load("metrics", name).HIGHER_IS_BETTER:
            return metrics_for([name], space)[0]
    raise InputError("none of the task's metrics gives its primary number", at="metrics", value=task.primary, fix=", ".join(task.metrics))


def run_cells(bench: Bench, cells: Sequence[Cell], file: Path | None = None, title: str = "stress") -> list[Outcome]:
    """The outcomes of all cells in their order; those that the file holds for this key are not run again.

    Args:
        file: JSON lines, one per finished cell; lines of other models, data or settings stay in it and are not looked at. None: none is kept.
    """
    key, count = bench.key(), len(bench.dataset)
    known = {} if file is None else _read(file, key)
    outcomes: list[Outcome] = []
    left = [cell for cell in cells if _name(cell) not in known]
    done = 0
    with progress(title, count * len(left)) as bar:
        for cell in cells:
            line = known.get(_name(cell))
            if line is not None:
                outcomes.append(_restored(cell, line, count))
                continue
            note = f"{cell.stress} {cell.severity}" if cell.severity else cell.stress
            outcome = bench.run(cell, partial(_advance, bar, done, note))
            done += count
            if file is not None:
                _append(file, {"key": key, "cell": _name(cell), **_kept(outcome)})
            outcomes.append(outcome)
    return outcomes


def _advance(bar: Bar, before: int, note: str, seen: int) -> None:
    bar.update(before + seen, note)


def _name(cell: Cell) -> str:
    return f"{cell.stress}:{cell.severity}:{hashlib.sha256(cell.settings.encode()).hexdigest()[:12]}"


def _read(file: Path, key: str) -> dict[str, dict[str, Any]]:
    """The finished cells of a key; a line that a killed run left half-written is passed over."""
    found: dict[str, dict[str, Any]] = {}
    if file.is_file():
        for text in file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError, KeyError):
                line = json.loads(text)
                if line["key"] == key:
                    found[line["cell"]] = line
    return found


def _append(file: Path, line: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as stream:
        broken = stream.tell() > 0
        if broken:
            stream.seek(-1, 2)
            broken = stream.read(1) != b"\n"
        stream.write(b"\n" * broken + json.dumps(plain(line)).encode() + b"\n")


def _kept(outcome: Outcome) -> dict[str, Any]:
    failed = np.flatnonzero(outcome.failed)
    return {
        "score": outcome.score, "resamples": outcome.resamples, "agreement": outcome.agreement, "failed": failed, "seconds": round(outcome.seconds, 3),
    }  # fmt: skip


def _restored(cell: Cell, line: Mapping[str, Any], count: int) -> Outcome:
    resamples, agreement = (np.array([np.nan if v is None else v for v in line[name]], np.float64) for name in ("resamples", "agreement"))
    failed = np.zeros(count, bool)
    failed[np.array(line["failed"], np.int64)] = True
    return Outcome(cell, line["score"], resamples, agreement, failed, line["seconds"])

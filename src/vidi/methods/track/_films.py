"""The videos that a source means, each read frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import decode
from vidi.data import read, video
from vidi.data.source import sources
from vidi.engine.evaluate import align
from vidi.errors import DataError, InputError
from vidi.labels import Detections

RATE = 25.0
"""Frames per second where nothing says how many."""


@dataclass(frozen=True, slots=True)
class Film:
    """One video.

    Args:
        name: for files and tables.
        rate: frames per second, of those that are looked at.
        count: how many they are, as far as is known; else 0.
        frames: opens the video anew: number of the frame, seconds, pixels (H, W, 3) uint8.
        samples: one per frame, where the video is a data set's; else None.
        endless: a camera.
    """

    name: str
    rate: float
    count: int
    frames: Callable[[], Iterator[tuple[int, float, np.ndarray]]]
    samples: list[Sample] | None = None
    endless: bool = False

    @property
    def truth(self) -> list[Detections] | None:
        """The true tracks of every frame, where all are known."""
        labels = [] if self.samples is None else [sample.label for sample in self.samples]
        known = [label for label in labels if isinstance(label, Detections) and (label.tracks is not None or not len(label))]
        return known if labels and len(known) == len(labels) else None


def films(source: Any, net: Any, *, split: str | None = None, stride: int = 1) -> list[Film]:
    """The videos of a source.

    Args:
        source: a video, a camera, a folder of frames, labeled videos, a data set, or pictures in order.
        net: whose classes labels are brought into the order of.
        split: train, val or test; None: test if there is one, else everything.
        stride: every how many frames one is looked at.

    Raises:
        DataError: nothing there that could be read.
        InputError: a stride under 1, or a split of something that has none.
    """
    if stride < 1:
        raise InputError("every frame or every N-th, N at least 1", at="vid_stride", value=stride)
    if video.is_video(source):
        if split is not None:
            raise InputError("a bare video has no splits", at="split", value=split, fix="leave split out")
        return [_stream(source, stride)]
    dataset = align(_dataset(source), net)
    chosen = split or ("test" if dataset.splits.get("test") else None)
    if chosen is not None:
        dataset = read(dataset, split=chosen)
    if not len(dataset):
        raise DataError("no frames", file=dataset.root)
    by_name: dict[str, list[Sample]] = {}
    for sample in dataset:
        by_name.setdefault(sample.group or dataset.name, []).append(sample)
    return [_film(name, samples, stride) for name, samples in by_name.items()]


def _dataset(source: Any) -> Dataset:
    if isinstance(source, (str, Path)) and Path(source).exists() and (Path(source).is_dir() or Path(source).suffix in (".yaml", ".yml", ".json")):
        return read(source)
    return sources(source)


def _stream(source: Any, stride: int) -> Film:
    number = video.camera(source)
    if number is not None:
        return Film(f"camera{number}", RATE / stride, 0, lambda: video.frames(source, stride), endless=True)
    rate, count = video.describe(source)
    return Film(Path(str(source)).stem, rate / stride, count // stride, lambda: video.frames(source, stride))


def _film(name: str, samples: list[Sample], stride: int) -> Film:
    numbers = [int(sample.extra.get("frame", i)) for i, sample in enumerate(samples)]
    ordered = [samples[i] for i in np.argsort(numbers, kind="stable")][::stride]
    times = np.array([sample.extra.get("seconds", np.nan) for sample in ordered], np.float64)
    steps = np.diff(times[np.isfinite(times)])
    rate = float(1 / np.median(steps)) if len(steps) and np.median(steps) > 0 else RATE / stride

    def frames() -> Iterator[tuple[int, float, np.ndarray]]:
        for i, sample in enumerate(ordered):
            index = int(sample.extra.get("frame", i * stride))
            yield index, float(sample.extra.get("seconds", i / rate)), decode(sample.inputs["image"], name=sample.id)

    return Film(name, rate, len(ordered), frames, ordered)

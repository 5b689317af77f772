"""From frames to tracked labels, one frame at a time: detector, appearance, tracker."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.engine.appearance import Appearance
from vidi.engine.predictor import chunks
from vidi.labels import Detections
from vidi.methods.track._base import Tracker

Frames = Iterable[tuple[int, float, np.ndarray]]
"""Number of the frame from 0, its time in seconds, its pixels (H, W, 3) uint8."""


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one frame.

    Args:
        index, seconds, pixels: the frame.
        label: its confirmed things, with `tracks`.
        events: how the tracker decided, see `Tracker.events`.
    """

    index: int
    seconds: float
    pixels: np.ndarray
    label: Detections
    events: list[dict[str, Any]]


def follow(
    stream: Frames, detect: Callable[[Sequence[np.ndarray]], Sequence[Any]], tracker: Tracker, appearance: Appearance | None = None, batch: int = 8
) -> Generator[Step, None, None]:
    """Track a stream of frames in constant memory.

    Args:
        stream: frames in order.
        detect: pictures → `Detections`, by falling score or not.
        tracker: fresh; it is fed frame by frame.
        appearance: gives each thing a vector by which it is known again; None: by motion alone.
        batch: frames that are looked at together.
    """
    for chunk in chunks(stream, batch):
        found = detect([pixels for _, _, pixels in chunk])
        for (index, seconds, pixels), label in zip(chunk, found):
            vectors = appearance.vectors(pixels, label.boxes) if appearance is not None else None
            tracked = tracker.update(label, pixels if tracker.looks else None, vectors)
            yield Step(index, seconds, pixels, tracked, list(tracker.events))

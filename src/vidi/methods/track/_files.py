"""Tracks as files: MOT text by video, one table of all boxes, one JSON of all tracks."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Sample
from vidi.core.files import atomic_write, csv_safe, write_json
from vidi.core.space import Space
from vidi.data.writers.mot import lines
from vidi.labels import Detections

COLUMNS = ("video", "frame", "seconds", "track", "class", "score", "x1", "y1", "x2", "y2")


@dataclass(slots=True)
class Summary:
    """One track.

    Args:
        kind: index of its class.
        first, last: numbers of the frames it was seen in first and last.
        begun, ended: the same in seconds.
        frames: in how many it was seen.
        path: pixels that the middle of its box moved in all.
        place: where the middle was last.
    """

    kind: int
    first: int
    last: int
    begun: float
    ended: float
    frames: int
    path: float
    place: tuple[float, float]


def summarize(tracks: dict[int, Summary], label: Detections, index: int, seconds: float) -> None:
    """Take one more frame into account."""
    if label.tracks is None:
        return
    for track, kind, (x1, y1, x2, y2) in zip(label.tracks.tolist(), label.classes.tolist(), label.boxes.tolist()):
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        known = tracks.get(track)
        if known is None:
            tracks[track] = Summary(kind, index, index, seconds, seconds, 1, 0.0, middle)
            continue
        known.path += float(np.hypot(middle[0] - known.place[0], middle[1] - known.place[1]))
        known.last, known.ended, known.place, known.frames = index, seconds, middle, known.frames + 1


def write_summary(path: Path, done: Sequence[Any], names: Sequence[str]) -> None:
    """``tracks.json``: of every video its rate, frames, counts and tracks."""
    videos = []
    for each in done:
        tracks = [{"track": track, **asdict(summary), "class": names[summary.kind] if summary.kind < len(names) else str(summary.kind)} for track, summary in sorted(each.tracks.items())]
        videos.append({"video": each.film.name, "rate": each.film.rate, "frames": each.frames, "counts": each.counts, "tracks": tracks})
    write_json(path, {"names": list(names), "videos": videos})


class Writer:
    """Writes frame after frame; files appear whole when `opened` ends.

    Args:
        folder: gets ``tracks.csv``, and ``NAME.txt`` for each video.
        space: what the classes are.
    """

    def __init__(self, folder: Path, space: Space):
        self.folder, self.space = folder, space
        self._stack = contextlib.ExitStack()
        self._table: Any = None
        self._texts: dict[str, Any] = {}

    @contextlib.contextmanager
    def opened(self) -> Iterator[Writer]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._stack:
            self._table = csv.writer(self._stack.enter_context(atomic_write(self.folder / "tracks.csv", "w")), lineterminator="\n")
            self._table.writerow(COLUMNS)
            yield self

    def add(self, video: str, index: int, seconds: float, label: Detections) -> None:
        """The tracked things of one frame."""
        if video not in self._texts:
            self._texts[video] = self._stack.enter_context(atomic_write(self.folder / f"{video}.txt", "w"))
        self._texts[video].writelines(f"{line}\n" for line in lines(Sample(video, {}, label), index + 1, self.space))
        tracks = [] if label.tracks is None else label.tracks.tolist()
        for track, record in zip(tracks, label.records(self.space.names)):
            place = [record[key] for key in ("score", "x1", "y1", "x2", "y2")]
            self._table.writerow([csv_safe(video), index, round(seconds, 4), track, csv_safe(str(record["class"])), *place])

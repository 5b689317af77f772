"""The frames of one sequence with their labels: pictures of a folder, frames of a video, or labels alone."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vidi.core.dataset import Picture, Sample
from vidi.data import video
from vidi.data._cache import available_memory
from vidi.data.readers._ask import Faults
from vidi.data.readers._mot import Rows
from vidi.data.readers._scan import scan
from vidi.errors import ResourceError
from vidi.labels import Detections

Ranges = list[tuple[int, int]]
"""First and last frame of each, both included, counted from 1."""

QUALITY = 95
"""Of the JPEG that a video's frames are kept as, without reduction of color."""

_NUMBER = re.compile(r"(\d+)$")


@dataclass(eq=False, slots=True)
class Sequence:
    """Where one sequence lies.

    Args:
        name: its group.
        id: what its samples' ids begin with.
        pictures: the folder with its frames as pictures.
        film: the video with its frames.
        truth: the MOT text.
        rate: frames per second, where it is known.
        length: how many frames its description says there are.
        split: of all its frames.
        parts: ranges of frames by split, "" for none; only these are read then. None: all frames.
        labeled: ranges of frames that the truth speaks of. None: from the first to the last frame that it names, or all if it is empty.
    """

    name: str
    id: str = ""
    pictures: Path | None = None
    film: Path | None = None
    truth: Path | None = None
    rate: float | None = None
    length: int | None = None
    split: str | None = None
    parts: dict[str, Ranges] | None = None
    labeled: Ranges | None = None


@dataclass(eq=False, slots=True)
class Budget:
    """How many bytes of compressed frames may still be kept, and how many were."""

    left: float = field(default_factory=lambda: available_memory() / 2)
    used: int = 0
    frames: int = 0

    def keep(self, data: bytes, file: Path, number: int) -> bytes:
        self.left -= len(data)
        self.used += len(data)
        self.frames += 1
        if self.left < 0:
            raise ResourceError(
                "the video's frames do not fit into memory even as JPEG", file=file, at=f"frame {number}",
                fix="read fewer frames (`frames: [1, 1000]` in a data.yaml), or write them into a folder: ffmpeg -i VIDEO NAME/%06d.jpg",
            )  # fmt: skip
        return data


def inside(number: int, ranges: Ranges) -> bool:
    return any(first <= number <= last for first, last in ranges)


def samples(sequence: Sequence, rows: Rows | None, kinds: np.ndarray | None, budget: Budget, faults: Faults, notes: list[str]) -> list[Sample]:
    """The frames that are asked for, in order; those that the truth speaks of have a label, maybe an empty one.

    Args:
        rows: of the truth; None where there is none.
        kinds: (N,) class index of each row.
        budget: for the frames of videos.
        notes: what was seen is added here.
    """
    by_frame = rows.by_frame() if rows is not None else {}
    labeled = _labeled(sequence, by_frame) if rows is not None else []
    found, last = [], 0
    for number, id, picture, seconds in _frames(sequence, by_frame, budget, faults):
        last = max(last, number)
        part = next((name for name, ranges in (sequence.parts or {}).items() if inside(number, ranges)), None)
        extra: dict = {"frame": number - 1} | ({} if seconds is None else {"seconds": seconds})
        label = None
        if rows is not None and kinds is not None and number in by_frame:
            own = by_frame[number]
            label, more = rows.label(own, kinds[own])
            extra |= more
        elif rows is not None and inside(number, labeled):
            label = Detections.empty()
            extra["file"] = str(rows.file)
        found.append(Sample(id, {} if picture is None else {"image": picture}, label, part or sequence.split, sequence.name, None, extra))
    _check(sequence, rows, by_frame, {sample.extra["frame"] + 1 for sample in found}, last, faults)
    silent = sum(sample.label is None for sample in found) if rows is not None else 0
    if silent:
        notes.append(f"{sequence.name}: {silent} frames outside of those that the truth speaks of are unlabeled")
    if sequence.length is not None and sequence.length != last and found:
        notes.append(f"{sequence.name}: {sequence.length} frames by its description, the last one that is there is {last}")
    return found


def _labeled(sequence: Sequence, by_frame: dict) -> Ranges:
    if sequence.labeled is not None:
        return sequence.labeled
    if sequence.parts is not None:
        return [each for ranges in sequence.parts.values() for each in ranges]
    return [(min(by_frame), max(by_frame))] if by_frame else [(1, 2**62)]


def _frames(sequence: Sequence, by_frame: dict, budget: Budget, faults: Faults) -> Iterator[tuple[int, str, Picture | None, float | None]]:
    """Number from 1, id, picture and time of each frame that is asked for."""
    wanted = None if sequence.parts is None else [each for ranges in sequence.parts.values() for each in ranges]
    if sequence.film is not None:
        end = max((last for _, last in wanted), default=0) if wanted is not None else None
        for index, seconds, pixels in video.frames(sequence.film):
            if end is not None and index >= end:
                break
            if wanted is None or inside(index + 1, wanted):
                yield index + 1, f"{sequence.id}#{index:06d}", budget.keep(_jpeg(pixels), sequence.film, index + 1), round(seconds, 6)
        return
    step = 1 / sequence.rate if sequence.rate else None
    if sequence.pictures is not None:
        for number, name in numbered(scan(sequence.pictures, faults).pictures):
            if wanted is None or inside(number, wanted):
                yield number, sequence.id + name, sequence.pictures / name, None if step is None else round((number - 1) * step, 6)
        return
    first, last = (min(by_frame), max(by_frame)) if by_frame and sequence.length is None else (1, sequence.length or 0)
    for number in range(first, last + 1) if wanted is None else sorted({n for a, b in wanted for n in range(a, b + 1)}):
        yield number, f"{sequence.id.rstrip('/')}#{number - 1:06d}", None, None if step is None else round((number - 1) * step, 6)


def _jpeg(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


def numbered(names: list[str]) -> list[tuple[int, str]]:
    """Frame numbers from 1 of pictures: the number that each name ends in, where all have one of their own (counted from 0, it is one
    more), else the place in natural order."""
    digits = [_NUMBER.search(name.rpartition(".")[0]) for name in names]
    numbers = [int(found[1]) for found in digits if found is not None]
    if len(numbers) < len(names) or len(set(numbers)) < len(names):
        return list(enumerate(names, 1))
    shift = 1 if numbers and min(numbers) == 0 else 0
    return sorted((number + shift, name) for number, name in zip(numbers, names))


def _check(sequence: Sequence, rows: Rows | None, by_frame: dict, there: set[int], last: int, faults: Faults) -> None:
    """Rows of frames that are not there are a fault, and so is a range that ends after the last frame."""
    wanted = None if sequence.parts is None else [each for ranges in sequence.parts.values() for each in ranges]
    gone = [number for number in by_frame if number not in there and (wanted is None or inside(number, wanted))]
    if gone and rows is not None:
        line = rows.lines[by_frame[gone[0]][0]]
        what = f"rows of {len(gone)} frames that are not there" if len(gone) > 1 else "rows of a frame that is not there"
        faults.add(what, file=rows.file, at=f"line {line}", value=f"frame {gone[0]}", fix=f"{len(there)} frames are there, the last is {last}")
    end = max((each[1] for each in wanted or ()), default=0)
    if end > last and (source := sequence.film or sequence.pictures) is not None:
        faults.add("a range ends after the last frame", file=source, value=end, fix=f"the last frame asked for that is there is {last}")

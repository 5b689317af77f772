"""MOTChallenge's text: a line per box, ``frame,id,x,y,w,h[,conf[,class[,visibility]]]`` or, with ten columns, ``…,conf,X,Y,Z``.

Frames count from 1. ``conf`` is a score in 0..1; 0 marks a box that is not considered (an ignored region: a crowd here), −1 says
nothing. Coordinates are taken as they stand, and boxes end at x + w and y + h.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.files import read_text
from vidi.core.space import Space
from vidi.data.readers._ask import Ask, Faults
from vidi.data.readers._scan import natural
from vidi.data.readers._things import LARGEST
from vidi.errors import DataError
from vidi.labels import Detections

CLASSES = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle", "static person", "distractor", "occluder",
    "occluder on the ground", "occluder full", "reflection", "crowd",
)  # fmt: skip
"""What MOTChallenge calls the classes 1 to 13 (Milan et al. 2016, arXiv:1603.00831)."""

UNSAID = -1
MOST_FRAMES = 10_000_000
"""A larger frame number is a fault."""

_WIDTHS = range(6, 11)
_LIMIT = 1 << 30


@dataclass(eq=False, slots=True)
class Rows:
    """The rows of one text that can be used, in its order.

    Args:
        file: the text.
        values: (N, 6) float64: x, y, w, h, conf, visibility; NaN where a column is not there.
        frames, tracks, kinds: (N,) int64: frame from 1, track (−1: none), class (−1: not said).
        world: (N, 3) float64, or None.
        lines: (N,) int64, where each stands.
        names: class names by number, where a ``labels.txt`` beside it has them.
    """

    file: Path
    values: np.ndarray
    frames: np.ndarray
    tracks: np.ndarray
    kinds: np.ndarray
    world: np.ndarray | None
    lines: np.ndarray
    names: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def by_frame(self) -> dict[int, np.ndarray]:
        """Indices of each frame's rows."""
        order = np.argsort(self.frames, kind="stable")
        numbers, starts = np.unique(self.frames[order], return_index=True)
        return dict(zip(numbers.tolist(), np.split(order, starts[1:]))) if len(order) else {}

    def label(self, rows: np.ndarray, kinds: np.ndarray) -> tuple[Detections, dict[str, Any]]:
        """The label of some rows with their class indices (N,), and what belongs into `Sample.extra`."""
        x, y, w, h, conf, seen = self.values[rows].T
        boxes = np.stack([x, y, x + w, y + h], 1)
        boxes[~(np.abs(boxes) <= LARGEST)] = np.nan
        scored, ignored, tracks = (conf > 0) & (conf < 1), conf == 0, self.tracks[rows]
        extra: dict[str, Any] = {"file": str(self.file), "places": [f"line {line}" for line in self.lines[rows].tolist()]}
        notes: list[dict[str, Any]] = [{} if np.isnan(value) else {"visibility": _plain(value)} for value in seen.tolist()]
        if self.world is not None:
            for note, place in zip(notes, self.world[rows].tolist()):
                note |= {} if place == [-1, -1, -1] else {"world": [_plain(value) for value in place]}
        if any(notes):
            extra["things"] = notes
        label = Detections(
            boxes.astype(np.float32), np.where(scored, conf, 1.0), kinds, tracks=None if (tracks < 0).any() else tracks,
            crowd=ignored if ignored.any() else None,
        )  # fmt: skip
        return label, extra


def looks(file: Path) -> bool:
    """Whether a text begins as MOT texts do: six to ten numbers between commas, the first two whole."""
    try:
        with open(file, "rb") as stream:
            first = next((line for line in stream.read(1 << 12).split(b"\n") if line.strip()), b"")
        fields = [float(part) for part in first.strip().rstrip(b",").split(b",")]
    except (OSError, ValueError):
        return False
    return len(fields) in _WIDTHS and fields[0] >= 1 and fields[0] == int(fields[0]) and fields[1] == int(fields[1])


def parse(file: Path, faults: Faults) -> Rows:
    """The rows of a MOT text; what cannot be used is a fault with its line."""
    text = read_text(file, _LIMIT)
    cells = [(i, line.replace(",", " ").split()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    width = Counter(len(each) for _, each in cells).most_common(1)[0][0] if cells else 6
    if width not in _WIDTHS:
        faults.add(f"{width} columns", file=file, at=f"line {cells[0][0]}", fix="frame,id,x,y,w,h,conf,class,visibility")
        cells, width = [], _WIDTHS[0]
    lines, rows = [], []
    for i, each in cells:
        try:
            if len(each) != width:
                raise DataError(f"{len(each)} columns where others have {width}", value=",".join(each))
            rows.append(_numbers(each))
            lines.append(i)
        except DataError as error:
            faults.add_error(error, file=file, at=f"line {i}")
    table = np.array(rows, np.float64).reshape(-1, width)
    kept = _checked(table, lines, file, faults)
    return _rows(file, table[kept], np.array(lines, np.int64)[kept])


def _numbers(cells: list[str]) -> list[float]:
    try:
        values = list(map(float, cells))
    except ValueError:
        values = []
    if not values or "_" in "".join(cells):
        raise DataError("not finite numbers", value=",".join(cells))
    return values


def _checked(table: np.ndarray, lines: list[int], file: Path, faults: Faults) -> np.ndarray:
    """(N,) bool: the rows that keep the rules."""
    width = table.shape[1]
    frame, track = table[:, 0], table[:, 1]
    conf = table[:, 6] if width > 6 else np.ones(len(table))
    kind = table[:, 7] if width in (8, 9) else np.ones(len(table))
    rules = [
        (~np.isfinite(table).all(1), 0, "not finite numbers", None),
        ((frame < 1) | (frame > MOST_FRAMES) | (frame != np.floor(frame)), 0, f"frames are whole numbers from 1 to {MOST_FRAMES}", "the first frame is number 1"),
        ((track < -1) | (track != np.floor(track)) | (track > 2**62), 1, "tracks are whole numbers from 0, or -1 for none", None),
        ((table[:, 2:6] == -1).all(1), 2, "a row without a box", "rows of world coordinates alone cannot be used"),
        (~((conf >= 0) & (conf <= 1) | (conf == -1)), 6, "a confidence lies in 0..1, or is -1", "0 marks boxes that are not considered"),
        ((kind < -1) | (kind != np.floor(kind)) | (kind > 2**31), 7, "classes are whole numbers", "conf,class,visibility are the last three of nine columns"),
    ]
    kept = np.ones(len(table), bool)
    for broken, column, rule, fix in rules:
        for row in np.flatnonzero(broken & kept).tolist():
            value = ",".join(f"{each:g}" for each in table[row]) if fix is None else _plain(table[row, column])
            faults.add(rule, file=file, at=f"line {lines[row]}", value=value, fix=fix)
        kept &= ~broken
    return kept


def _rows(file: Path, table: np.ndarray, lines: np.ndarray) -> Rows:
    count, width = table.shape
    missing = np.full(count, np.nan)
    seen = table[:, 8] if width == 9 else missing
    conf = table[:, 6] if width > 6 else np.full(count, float(UNSAID))
    kinds = table[:, 7] if width in (8, 9) else np.full(count, UNSAID)
    world = table[:, 7:10] if width == 10 and (table[:, 7:10] != -1).any() else None
    values = np.column_stack([table[:, 2:6], conf, np.where(seen == UNSAID, np.nan, seen)])
    tracks = table[:, 1].astype(np.int64)
    return Rows(file, values, table[:, 0].astype(np.int64), tracks, kinds.astype(np.int64), world, lines, _named(file))


def _named(file: Path) -> dict[int, str]:
    """Class names by number from 1 out of a ``labels.txt`` beside the text."""
    listing = file.parent / "labels.txt"
    if not listing.is_file() or listing == file:
        return {}
    names = [line.strip() for line in read_text(listing, 1 << 20).splitlines() if line.strip()]
    if len(set(names)) < len(names):
        raise DataError("two classes have one name", file=listing, value=next(name for name in names if names.count(name) > 1))
    return dict(enumerate(names, 1))


def classes(texts: Iterable[Rows], ask: Ask, notes: list[str]) -> tuple[Space, dict[Path, np.ndarray]]:
    """What the classes of several texts are called, and the class index of every row of each.

    Names are those of the ``data.yaml`` (number 1 is the first, or ``ids`` say), of a ``labels.txt`` beside each text, or MOTChallenge's.
    """
    texts = list(texts)
    first = (ask.ids or (1,))[0] if ask.names else 1
    numbers = {text.file: np.where(text.kinds == UNSAID, first, text.kinds) for text in texts}
    if ask.names:
        known = dict(zip(ask.ids or range(1, len(ask.names) + 1), ask.names))
        places = {number: i for i, number in enumerate(known)}
        for text in texts:
            strange = ~np.isin(numbers[text.file], list(known))
            for row in np.flatnonzero(strange).tolist():
                ask.faults.add("no such class", file=text.file, at=f"line {text.lines[row]}", value=int(text.kinds[row]), fix="see names and ids of the data.yaml")
        found = {text.file: np.array([places.get(number, 0) for number in numbers[text.file].tolist()], np.int64) for text in texts}
        return Space("Detections", ask.names, ids=ask.ids or ()), found
    calls = {text.file: _calls(text, numbers[text.file]) for text in texts}
    where = {name: number for each in reversed(calls.values()) for number, name in each.items()}
    names = sorted(where, key=lambda name: (where[name], natural(name)))
    ids = tuple(where[name] for name in names)
    if any(len(text) and not text.names for text in texts) and any((text.kinds != UNSAID).any() for text in texts):
        notes.append("classes are called as MOTChallenge calls their numbers; a labels.txt beside the text or names in a data.yaml can tell others")
    index = {name: i for i, name in enumerate(names)}
    found = {}
    for text in texts:
        place = {number: index[name] for number, name in calls[text.file].items()}
        found[text.file] = np.array([place[number] for number in numbers[text.file].tolist()], np.int64)
    return Space("Detections", tuple(names), ids=ids if len(set(ids)) == len(ids) else ()), found


def _calls(text: Rows, numbers: np.ndarray) -> dict[int, str]:
    """The names of one text's class numbers."""
    standard = {} if text.names else dict(enumerate(CLASSES, 1))
    used = {number: (text.names or standard).get(number, str(number)) for number in np.unique(numbers).tolist()}
    return {**text.names, **used}


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value

"""What tracks add up to: crossings of lines, visits to zones, dwell times and speeds, frame by frame in constant memory per thing seen."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidi.errors import DataError, RecipeError
from vidi.labels import Detections

ANCHORS = ("bottom", "center")
FORGET = 5.0
"""Seconds after which a track that is not seen is forgotten; one that comes back later begins anew."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line across which things are counted.

    For someone walking from `start` to `end`, a thing that crosses from the left hand to the right goes ``in``, the other way ``out``.

    Args:
        name: of the line.
        start, end: x, y in pixels.
        anchor: the point of a box that crosses: ``bottom`` center, where a person stands, or ``center``.
        margin: how far beyond the line a thing must be, as a share of its box's height, before it has crossed: one that stands on the
            line and trembles is not counted.
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    anchor: str = "bottom"
    margin: float = 0.05

    def __post_init__(self) -> None:
        _check_anchor(self.anchor, self.name)
        if not np.isfinite([*self.start, *self.end]).all() or tuple(self.start) == tuple(self.end):
            raise RecipeError("a line needs two different points", at=f"line {self.name}", value=(self.start, self.end))


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon in which things are counted.

    Args:
        name: of the zone.
        points: three or more x, y in pixels.
        anchor: as of a `Line`.
        grace: seconds outside (or unseen) that do not end a visit.
    """

    name: str
    points: Sequence[tuple[float, float]]
    anchor: str = "bottom"
    grace: float = 0.5

    def __post_init__(self) -> None:
        _check_anchor(self.anchor, self.name)
        points = np.asarray(self.points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
            raise RecipeError("a zone needs three or more points x, y", at=f"zone {self.name}", value=self.points)


@dataclass(slots=True)
class _Visit:
    begin: float
    last: float
    kind: int


@dataclass(slots=True)
class _Thing:
    """What is remembered of a track: its path over the last moments, and on each line's which side it was for sure, and where."""

    last: float
    path: deque[tuple[float, float, float]] = field(default_factory=deque)
    sides: dict[str, tuple[int, float, float]] = field(default_factory=dict)


class Counter:
    """Counts what crosses lines, visits zones, and how fast things move.

    Args:
        lines, zones: what to count at; names are unique.
        scale: length of a pixel in `unit`, or a (3, 3) matrix that takes picture points to the ground.
        unit: what speeds are given in, per second.
        over: seconds over which a speed is measured.
        names: of the classes, for the result; numbers stand for those without.

    Raises:
        RecipeError: a name that stands twice, or a value out of range.
    """

    def __init__(self, lines: Sequence[Line] = (), zones: Sequence[Zone] = (), *, scale: float | np.ndarray = 1.0, unit: str = "px",
                 over: float = 0.5, names: Sequence[str] = ()) -> None:  # fmt: skip
        both = [line.name for line in lines] + [zone.name for zone in zones]
        if len(set(both)) < len(both):
            raise RecipeError("lines and zones need names of their own", at="name", value=", ".join(both))
        if not over > 0:
            raise RecipeError("a positive number of seconds", at="over", value=over)
        ground = np.asarray(scale, np.float64)
        if ground.shape not in ((), (3, 3)) or not np.isfinite(ground).all() or (ground.shape == () and not ground > 0):
            raise RecipeError("a positive number or a (3, 3) matrix", at="scale", value=scale)
        self.lines, self.zones, self.unit, self.over, self.names = tuple(lines), tuple(zones), unit, over, tuple(names)
        self._ground = np.diag([float(ground), float(ground), 1.0]) if ground.shape == () else ground
        self._polygons = {zone.name: np.asarray(zone.points, np.float64) for zone in self.zones}
        self._things: dict[int, _Thing] = {}
        self._seen: set[int] = set()
        self._crossed: dict[str, dict[int, list[int]]] = {line.name: defaultdict(lambda: [0, 0]) for line in self.lines}
        self._visits: dict[str, dict[int, _Visit]] = {zone.name: {} for zone in self.zones}
        self._ended: dict[str, dict[int, list[float]]] = {zone.name: defaultdict(lambda: [0, 0.0, 0.0]) for zone in self.zones}
        self._speeds: dict[int, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        self._speed_now: dict[int, float] = {}
        self._begin: float | None = None
        self._time = 0.0
        self._now = 0

    def update(self, labels: Detections, seconds: float) -> list[dict[str, Any]]:
        """The next frame.

        Args:
            labels: its things with `tracks`.
            seconds: its time; rises from frame to frame.

        Returns:
            What was counted just now: ``{"track", "class", "line" or "zone", "event": "in", "out" or "enter"}``.

        Raises:
            DataError: things without tracks, or a time that does not rise.
        """
        if len(labels) and labels.tracks is None:
            raise DataError("things without track numbers cannot be counted", at=f"{seconds:g} s", fix="track the video first")
        if self._begin is None:
            self._begin = seconds
        elif not seconds > self._time:
            raise DataError("times must rise", at="seconds", value=seconds, fix=f"more than {self._time:g}")
        self._time, self._now, self._speed_now = seconds, len(labels), {}
        counted: list[dict[str, Any]] = []
        numbers = [] if labels.tracks is None else labels.tracks.tolist()
        for number, kind, box in zip(numbers, labels.classes.tolist(), labels.boxes.astype(np.float64)):
            thing = self._things.setdefault(number, _Thing(seconds))
            thing.last = seconds
            self._seen.add(number)
            self._move(number, thing, kind, box)
            counted += self._cross(number, thing, kind, box)
            counted += self._visit(number, kind, box)
        self._forget()
        return counted

    def result(self) -> dict[str, Any]:
        """All numbers so far, as JSON takes them; None where there are none yet."""
        return {
            "seconds": self._time - (self._begin or 0.0) if self._begin is not None else 0.0,
            "tracks": {"now": self._now, "total": len(self._seen)},
            "lines": {line.name: self._line(line.name) for line in self.lines},
            "zones": {zone.name: self._zone(zone.name) for zone in self.zones},
            "speed": {
                "unit": f"{self.unit}/s", "now": {str(number): speed for number, speed in self._speed_now.items()},
                **_summary(self._speeds, "mean", "max"),
                "by_class": {self._name(kind): _summary({kind: values}, "mean", "max") for kind, values in sorted(self._speeds.items())},
            },
        }  # fmt: skip

    def _name(self, kind: int) -> str:
        return self.names[kind] if 0 <= kind < len(self.names) else str(kind)

    def _move(self, number: int, thing: _Thing, kind: int, box: np.ndarray) -> None:
        x, y, depth = self._ground @ [*_anchor(box, "bottom"), 1.0]
        if abs(depth) < 1e-12:
            return
        thing.path.append((self._time, x / depth, y / depth))
        while len(thing.path) > 2 and self._time - thing.path[1][0] >= self.over:
            thing.path.popleft()
        begin, first_x, first_y = thing.path[0]
        if self._time - begin < self.over:
            return
        speed = float(np.hypot(x / depth - first_x, y / depth - first_y) / (self._time - begin))
        self._speed_now[number] = speed
        _add(self._speeds[kind], speed)

    def _cross(self, number: int, thing: _Thing, kind: int, box: np.ndarray) -> list[dict[str, Any]]:
        counted = []
        for line in self.lines:
            point, begin, end = _anchor(box, line.anchor), np.asarray(line.start, np.float64), np.asarray(line.end, np.float64)
            away = float(_cross(end - begin, point - begin) / np.hypot(*(end - begin)))  # pixels, to the right positive
            if abs(away) < max(line.margin * (box[3] - box[1]), 1e-9):
                continue
            side, known = (1 if away > 0 else -1), thing.sides.get(line.name)
            thing.sides[line.name] = (side, float(point[0]), float(point[1]))
            if known is None or known[0] == side or not _meets(np.array(known[1:]), point, begin, end):
                continue
            self._crossed[line.name][kind][0 if side > 0 else 1] += 1
            counted.append({"track": number, "class": kind, "line": line.name, "event": "in" if side > 0 else "out"})
        return counted

    def _visit(self, number: int, kind: int, box: np.ndarray) -> list[dict[str, Any]]:
        counted = []
        for zone in self.zones:
            if not _inside(_anchor(box, zone.anchor), self._polygons[zone.name]):
                continue
            visit = self._visits[zone.name].get(number)
            if visit is not None and self._time - visit.last > zone.grace:
                self._end(zone.name, number)
                visit = None
            if visit is None:
                self._visits[zone.name][number] = _Visit(self._time, self._time, kind)
                counted.append({"track": number, "class": kind, "zone": zone.name, "event": "enter"})
            else:
                visit.last = self._time
        return counted

    def _forget(self) -> None:
        for zone in self.zones:
            for number in [n for n, visit in self._visits[zone.name].items() if self._time - visit.last > zone.grace]:
                self._end(zone.name, number)
        for number in [n for n, thing in self._things.items() if self._time - thing.last > FORGET]:
            del self._things[number]

    def _end(self, zone: str, number: int) -> None:
        visit = self._visits[zone].pop(number)
        _add(self._ended[zone][visit.kind], visit.last - visit.begin)

    def _line(self, name: str) -> dict[str, Any]:
        by_class = {self._name(kind): {"in": a, "out": b} for kind, (a, b) in sorted(self._crossed[name].items())}
        return {"in": sum(c["in"] for c in by_class.values()), "out": sum(c["out"] for c in by_class.values()), "by_class": by_class}

    def _zone(self, name: str) -> dict[str, Any]:
        """Visits that go on count with what they have lasted so far."""
        every = {kind: list(values) for kind, values in self._ended[name].items()}
        for visit in self._visits[name].values():
            _add(every.setdefault(visit.kind, [0, 0.0, 0.0]), visit.last - visit.begin)
        inside = sum(visit.last == self._time for visit in self._visits[name].values())
        by_class = {self._name(k): {"visits": int(v[0]), **_summary({k: v}, "dwell_mean", "dwell_max")} for k, v in sorted(every.items())}
        return {"now": inside, "visits": int(sum(v[0] for v in every.values())), **_summary(every, "dwell_mean", "dwell_max"), "by_class": by_class}


def _check_anchor(anchor: str, name: str) -> None:
    if anchor not in ANCHORS:
        raise RecipeError(f"one of {', '.join(ANCHORS)}", at=f"{name}: anchor", value=anchor)


def _anchor(box: np.ndarray, anchor: str) -> np.ndarray:
    return np.array([(box[0] + box[2]) / 2, box[3] if anchor == "bottom" else (box[1] + box[3]) / 2])


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])


def _meets(a: np.ndarray, b: np.ndarray, start: np.ndarray, end: np.ndarray) -> bool:
    """Whether the way from a to b, which leads across the endless line, does so between start and end."""
    first, second = _cross(b - a, start - a), _cross(b - a, end - a)
    return first * second <= 0


def _inside(point: np.ndarray, polygon: np.ndarray) -> bool:
    """Even-odd rule."""
    x, y = polygon[:, 0] - point[0], polygon[:, 1] - point[1]
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    crossing = (y > 0) != (next_y > 0)
    step = np.where(crossing, next_y - y, 1)
    return bool(np.count_nonzero(crossing & (x - y * (next_x - x) / step > 0)) % 2)


def _add(totals: list[float], value: float) -> None:
    """Number, sum and largest of a series."""
    totals[0] += 1
    totals[1] += value
    totals[2] = max(totals[2], value)


def _summary(series: dict[int, list[float]], mean: str, most: str) -> dict[str, float | None]:
    count, total = sum(v[0] for v in series.values()), sum(v[1] for v in series.values())
    return {mean: total / count if count else None, most: max(v[2] for v in series.values()) if count else None}

"""Tracking videos from the first frame to the report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidi.core.calls import parse_call
from vidi.core.console import progress, say
from vidi.core.discovery import make
from vidi.data import video
from vidi.engine.appearance import Appearance
from vidi.engine.predictor import Predictor
from vidi.errors import InputError, RecipeError
from vidi.labels import Detections
from vidi.methods.track import _files, _pages
from vidi.methods.track._base import Tracker
from vidi.methods.track._counts import Counter, Line, Zone
from vidi.methods.track._films import Film, films
from vidi.methods.track._finish import drop_short, fill_gaps, smooth
from vidi.methods.track._follow import follow
from vidi.methods.track._trails import Trails
from vidi.methods.track._why import Why
from vidi.metrics import evaluate
from vidi.model import Model
from vidi.report import Report

ROOM = "methods/track"
COUNTED = frozenset({"id_switches", "fragmentations"})


def make_tracker(text: str, rate: float) -> Tracker:
    """A tracker from ``name(key=value, …)`` or a path, for frames that come at `rate` per second.

    Raises:
        ChoiceError: no such tracker.
        RecipeError: settings that it does not take, or out of range.
    """
    name, settings = parse_call(text, "tracker")
    return make(ROOM, "tracker", name, settings, at="tracker", value=text, fix="`vidi list trackers`", error=RecipeError, rate=rate)


def check_model(model: Model) -> Model:
    """The model itself.

    Raises:
        InputError: it finds no things.
    """
    if model.net.space.family != Detections.family:
        raise InputError("only a model that finds things can follow them", at="model", value=model.card.task, fix="train one with --task detect, instance or track")
    return model


@dataclass(frozen=True, slots=True)
class Finish:
    """What is done to whole tracks afterwards, each in seconds, 0 for not at all.

    Args:
        fill: gaps up to this long are closed.
        smooth: standard deviation of the weights by which boxes are smoothed.
        shortest: tracks seen for less are left out.
    """

    fill: float = 0.0
    smooth: float = 0.0
    shortest: float = 0.0

    def __bool__(self) -> bool:
        return (self.fill, self.smooth, self.shortest) != (0, 0, 0)

    def __call__(self, labels: list[Detections], rate: float) -> list[Detections]:
        for seconds, step in ((self.fill, fill_gaps), (self.smooth, smooth), (self.shortest, drop_short)):
            labels = step(labels, seconds, rate) if seconds else labels
        return labels


@dataclass(slots=True)
class Followed:
    """What became of a video: one entry per frame, and what was counted."""

    film: Film
    labels: list[Detections] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    events: list[list[dict[str, Any]]] = field(default_factory=list)
    tracks: dict[int, _files.Summary] = field(default_factory=dict)
    frames: int = 0
    counts: dict[str, Any] = field(default_factory=dict)


class Session:
    """Settings of tracking, checked before any frame is looked at.

    Args:
        predictor: finds things.
        appearance: tells them apart by their looks; None: by motion alone.
        tracker: see `make_tracker`.
        stride: every how many frames one is looked at.
        finish: what is done to whole tracks afterwards.
        shapes: lines and zones to count at, see `parse_shapes`.
        scale: length of a pixel in `unit`, for speeds; None: speeds are in pixels.
        unit: what speeds are given in.
        trail: seconds that drawn trails reach back.
        why: questions about tracks, which the report answers.
    """

    def __init__(
        self, predictor: Predictor, appearance: Appearance | None, tracker: str, *, stride: int = 1, finish: Finish | None = None,
        shapes: Sequence[Line | Zone] = (), scale: float | None = None, unit: str = "px", trail: float = 1.0,
        why: Why | None = None,
    ):  # fmt: skip
        make_tracker(tracker, 25.0)
        self.predictor, self.appearance, self.tracker = predictor, appearance, tracker
        self.stride, self.finish, self.trail = stride, finish or Finish(), trail
        self.why = why
        self.names = predictor.model.names
        self.lines = [shape for shape in shapes if isinstance(shape, Line)]
        self.zones = [shape for shape in shapes if isinstance(shape, Zone)]
        self.scale, self.unit = 1.0 if scale is None else scale, unit
        self.counter()

    def counter(self) -> Counter:
        """A fresh counter."""
        return Counter(self.lines, self.zones, names=self.names, scale=self.scale, unit=self.unit)

    def trails(self, rate: float) -> Trails:
        """A fresh pen."""
        shapes: dict[str, Sequence[tuple[float, float]]] = {line.name: [line.start, line.end] for line in self.lines}
        shapes.update((zone.name, list(zone.points)) for zone in self.zones)
        return Trails(self.names, round(self.trail * rate), shapes)

    def films(self, source: Any, split: str | None) -> list[Film]:
        return films(source, self.predictor.model.net, split=split, stride=self.stride)

    def run(self, source: Any, split: str | None = None, *, out: Path | None = None, draw: bool = True, intervals: int = 0) -> Report:
        """Follow everything; files go to `out`, numbers into the report."""
        every = self.films(source, split)
        if self.why is not None:
            self.why.check([film.name for film in every])
        started = time.perf_counter()
        writer = None if out is None else _files.Writer(out, self.predictor.model.net.space)
        with writer.opened() if writer is not None else contextlib.nullcontext():
            done = [self._one(film, writer, out if draw else None) for film in every]
        seconds = time.perf_counter() - started
        frames = sum(each.frames for each in done)
        numbers: dict[str, Any] = {"videos": len(done), "frames": frames, "tracks": sum(len(each.tracks) for each in done), "frames_per_second": frames / max(seconds, 1e-9)}
        about: dict[str, Any] = {
            "title": "Tracks", "task": self.predictor.model.card.task, "tracker": self.tracker, "reid": self.appearance is not None, "source": str(source)[:200],
            "split": split, "counts": {each.film.name: each.counts for each in done}, "key_numbers": ["hota", "mota", "idf1", "id_switches", "tracks", "frames"],
        }  # fmt: skip
        sections = _pages.summaries(done, self.names)
        report = Report("track", numbers, about, {}, {}, sections)
        self._score(done, report, intervals)
        if out is not None:
            _files.write_summary(out / "tracks.json", done, self.names)
            say(f"tracks in {out}")
        if self.why is not None:
            report.sections[:0] = self.why.sections()
        return report

    def _one(self, film: Film, writer: _files.Writer | None, drawn: Path | None) -> Followed:
        """Track one video. What is done to whole tracks is done at its end, and drawn in a second pass."""
        done, later = Followed(film), bool(self.finish)
        if later and film.endless:
            raise InputError("a camera's tracks are never whole", at="fill, smooth, shortest", value=film.name, fix="leave them out")
        keep = later or film.truth is not None
        counter = self.counter()
        frames, tracker = film.frames(), make_tracker(self.tracker, film.rate)
        if self.why is not None:
            frames, tracker = self.why.watch(film.name, frames, tracker)
        steps = follow(frames, self.predictor.labels_of, tracker, self.appearance, 1 if film.endless else self.predictor.batch)
        canvas = contextlib.nullcontext() if drawn is None or later else video.VideoWriter(drawn / f"{film.name}.mp4", max(1.0, film.rate))
        trails = self.trails(film.rate)
        with progress(f"tracking {film.name}", film.count) as bar, canvas as movie, contextlib.closing(steps):
            try:
                for step in steps:
                    done.frames += 1
                    if keep:
                        done.labels.append(step.label)
                        done.events.append(step.events)
                    done.indices.append(step.index)
                    done.seconds.append(step.seconds)
                    if not later:
                        self._note(done, counter, writer, step.index, step.seconds, step.label)
                        if movie is not None:
                            movie.add(trails.draw(step.pixels, step.label, _pages.words(counter.result())))
                    bar.update(done.frames)
            except KeyboardInterrupt:
                say(f"stopped by the user after {done.frames} frames")
        if later:
            done.labels = self.finish(done.labels, film.rate)
            for index, seconds, label in zip(done.indices, done.seconds, done.labels):
                self._note(done, counter, writer, index, seconds, label)
            if drawn is not None:
                self._draw(done, drawn / f"{film.name}.mp4")
        done.counts = counter.result()
        return done

    def _note(self, done: Followed, counter: Counter, writer: _files.Writer | None, index: int, seconds: float, label: Detections) -> None:
        counter.update(label, seconds)
        _files.summarize(done.tracks, label, index, seconds)
        if writer is not None:
            writer.add(done.film.name, index, seconds, label)

    def _draw(self, done: Followed, path: Path) -> None:
        trails, counter = self.trails(done.film.rate), self.counter()
        with video.VideoWriter(path, max(1.0, done.film.rate)) as movie:
            for (_, seconds, pixels), label in zip(done.film.frames(), done.labels):
                counter.update(label, seconds)
                movie.add(trails.draw(pixels, label, _pages.words(counter.result())))

    # -- scores ---------------------------------------------------------------------------------------------------

    def _score(self, done: Sequence[Followed], report: Report, intervals: int) -> None:
        """Numbers and pages about truth, where every video has it and one of them shows a thing."""
        if any(each.film.truth is None for each in done) or not any(len(label) for each in done for label in each.film.truth or []):
            return
        truth, found, settings = gathered(done)
        space = self.predictor.model.net.space
        result = evaluate(("tracking",), truth, found, space, settings=settings, intervals=intervals, figures=True)
        report.numbers.update({key: int(value) if key in COUNTED and value is not None else value for key, value in result.numbers.items()})
        report.intervals.update(result.intervals)
        report.n.update(result.n)
        report.sections[:0] = [*result.figures, *_pages.switch_strips(done, truth, found, space, settings)]


def gathered(done: Sequence[Followed]) -> tuple[list[Detections], list[Detections], dict[str, Any]]:
    """Truth, result and the settings that the metric takes, over several videos."""
    truth = [label for each in done for label in (each.film.truth or [])[: each.frames]]
    found = [label for each in done for label in each.labels]
    groups = [each.film.name for each in done for _ in each.labels]
    return truth, found, {"groups": groups, "frames": [index for each in done for index in each.indices]}


def parse_shapes(lines: Sequence[str] | None, zones: Sequence[str] | None) -> list[Line | Zone]:
    """Lines and zones from ``NAME=X Y X Y …``: two points for a line, three or more for a zone.

    Raises:
        InputError: not of this form.
        RecipeError: points that are no line or zone.
    """
    found: list[Line | Zone] = []
    for kind, texts in (("line", lines or ()), ("zone", zones or ())):
        for number, text in enumerate(texts, 1):
            name, _, inside = text.rpartition("=")
            try:
                values = [float(part) for part in inside.replace(",", " ").split()]
            except ValueError:
                values = []
            points = list(zip(values[::2], values[1::2]))
            if len(values) % 2 or (len(points) != 2 if kind == "line" else len(points) < 3):
                raise InputError(f"not a {kind}", at=kind, value=text, fix=f'{kind}="NAME=X1 Y1 X2 Y2{" X3 Y3 …" if kind == "zone" else ""}"')
            name = name.strip() or f"{kind} {number}"
            found.append(Line(name, points[0], points[1]) if kind == "line" else Zone(name, points))
    return found

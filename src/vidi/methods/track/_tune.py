"""Searching a tracker's settings on labeled videos: what the net finds is found once, then trackers run over it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.calls import parse_call
from vidi.core.console import progress, say
from vidi.core.discovery import load, member
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.methods.track._films import Film
from vidi.methods.track._session import ROOM, Session, make_tracker
from vidi.metrics import evaluate

RANGES: dict[str, tuple[float, float]] = {
    "keep": (0.2, 4.0), "high": (0.3, 0.8), "least": (0.1, 0.7), "iou": (0.05, 0.6), "iou_low": (0.2, 0.7), "iou_new": (0.1, 0.6), "confirm": (1, 4), "new": (0.2, 0.9),
    "momentum": (0.0, 0.5), "recall": (0.05, 0.35), "weight": (0.0, 0.9), "double": (0.3, 1.0),
}  # fmt: skip
"""Settings that are searched where a tracker has them, with the values between which they lie."""

LEAST = 0.1
"""Score from which trackers see detections while their thresholds are searched."""

WHOLE = frozenset({"confirm"})
"""Those that are whole numbers."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A video as the tracker sees it, without pixels."""

    film: Film
    labels: list[Detections]
    vectors: list[np.ndarray | None]
    indices: list[int]


def search(session: Session, source: Any, split: str | None, *, trials: int, seed: int) -> str:
    """The tracker's settings with the highest HOTA on the validation part (else the training part) of labeled videos: the given ones and
    `trials` drawn at random are tried.

    Raises:
        InputError: the test part was asked for, or the source has no true tracks.
    """
    if split == "test":
        raise InputError("settings are never chosen on the test part", at="tune", value="test", fix="split=val or split=train")
    every = _labeled(session, source, split)
    seen = [_look(session, film) for film in every]
    names, generator = _searched(session.tracker), np.random.default_rng(seed)
    best, highest = session.tracker, _hota(session, seen, session.tracker)
    say(f"{session.tracker}: HOTA {highest:.4f} on {len(every)} videos before tuning")
    with progress("tuning", trials) as bar:
        for trial in range(trials):
            text = _drawn(session.tracker, names, generator)
            value = _hota(session, seen, text)
            if value > highest:
                best, highest = text, value
            bar.update(trial + 1, f"best {highest:.4f}")
    say(f"after {trials} trials: HOTA {highest:.4f} with tracker={best!r}")
    return best


def _labeled(session: Session, source: Any, split: str | None) -> list[Film]:
    for name in (split,) if split else ("val", "train"):
        try:
            found = session.films(source, name)
        except InputError:
            continue
        found = [film for film in found if film.truth is not None]
        if found:
            return found
    raise InputError("tuning needs labeled tracks in a part that is not the test part", at="tune", value=str(source)[:100], fix="MOT folders in train/ or val/, or a data.yaml with ranges of frames")


def _look(session: Session, film: Film) -> _Seen:
    from vidi.engine.predictor import chunks

    seen = _Seen(film, [], [], [])
    with progress(f"looking at {film.name}", film.count) as bar:
        for chunk in chunks(film.frames(), session.predictor.batch):
            found: list[Any] = session.predictor.labels_of([pixels for _, _, pixels in chunk])
            for (index, _, pixels), label in zip(chunk, found):
                seen.labels.append(label)
                seen.vectors.append(None if session.appearance is None else session.appearance.vectors(pixels, label.boxes))
                seen.indices.append(index)
            bar.update(len(seen.labels))
    return seen


def _searched(text: str) -> dict[str, tuple[float, float]]:
    """The settings that are searched: those of the tracker that the user did not set."""
    name, given = parse_call(text, "tracker")
    parameters = inspect.signature(member(load(ROOM, name), "tracker", ROOM)).parameters
    return {key: bounds for key, bounds in RANGES.items() if key in parameters and key not in given}


def _drawn(text: str, ranges: dict[str, tuple[float, float]], generator: np.random.Generator) -> str:
    name, given = parse_call(text, "tracker")
    drawn = {key: round(float(generator.uniform(low, high)), 3) for key, (low, high) in ranges.items()}
    drawn |= {key: round(drawn[key]) for key in WHOLE & drawn.keys()}
    return f"{name}({', '.join(f'{key}={value}' for key, value in {**given, **drawn}.items())})"


def _hota(session: Session, seen: Sequence[_Seen], text: str) -> float:
    truth: list[Detections] = []
    found: list[Detections] = []
    groups: list[str] = []
    frames: list[int] = []
    for each in seen:
        tracker = make_tracker(text, each.film.rate)
        found += [tracker.update(label, None, vectors) for label, vectors in zip(each.labels, each.vectors)]
        truth += each.film.truth or []
        groups += [each.film.name] * len(each.labels)
        frames += each.indices
    result = evaluate(("tracking",), truth, found, session.predictor.model.net.space, settings={"groups": groups, "frames": frames}, intervals=0)
    return float(result.numbers["hota"] or 0.0)

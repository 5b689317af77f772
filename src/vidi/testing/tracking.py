"""Generated scenes with known identities, and what every tracker must do: ``check_tracker("bytetrack")``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidi.core.discovery import load, member
from vidi.labels import Detections, Outline
from vidi.ops.boxes import iou_matrix


@dataclass(frozen=True, slots=True)
class Scene:
    """A generated video of things that meet.

    Args:
        found: what a detector would give, frame by frame, without identities.
        truth: what there is to be seen, with `tracks` from 1.
        vectors: (N, D) float32 unit appearance vectors of the detections, frame by frame.
        meetings: (walker, walker, first, last): the frames around which the second is hidden, or passes behind the first.
        rate: frames per second.
        size: (height, width).
    """

    found: list[Detections]
    truth: list[Detections]
    vectors: list[np.ndarray]
    meetings: list[tuple[int, int, int, int]]
    rate: float
    size: tuple[int, int]


def crossings(
    pairs: int = 4,
    *,
    gap: float = 0.5,
    turn: float = 0.3,
    seconds: float = 8.0,
    rate: float = 25.0,
    jitter: float = 0.03,
    miss: float = 0.02,
    false: float = 0.05,
    dimensions: int = 64,
    noise: float = 0.6,
    seed: int = 0,
) -> Scene:
    """Pairs of walkers that meet in the middle of the picture, each pair in a lane of its own; the one behind is hidden meanwhile.

    Speeds wander, so that no straight line leads through a long gap. A detection's look is mixed with that of who stands before it.

    Args:
        pairs: lanes, of 130 pixels each.
        gap: seconds for which the one behind is not detected; 0: only where it is covered, its score falls.
        turn: share of the meetings after which both go back.
        seconds: of the video.
        rate: frames per second.
        jitter: standard deviation of the detections' sides, as a share of the size.
        miss: chance that a detection is missing.
        false: false detections per frame, with low scores.
        dimensions: of the vectors.
        noise: length of the noise that is added to an identity's unit vector, about.
        seed: the same seed gives the same scene.
    """
    draw = np.random.default_rng(seed)
    count, frames, width = 2 * pairs, int(seconds * rate), 640
    meeting = (0.5 + draw.uniform(-0.06, 0.06, pairs)) * seconds
    boxes = _walks(draw, meeting, frames, rate, width, draw.uniform(size=pairs) < turn)
    identities = _unit(draw.normal(size=(count, dimensions)))
    hidden = np.zeros((frames, count), bool)
    times = np.arange(frames) / rate
    hidden[:, 1::2] = np.abs(times[:, None] - meeting) < gap / 2
    half = max(gap / 2, 0.4)
    meetings = [(2 * p + 1, 2 * p + 2, int((meeting[p] - half) * rate), int(np.ceil((meeting[p] + half) * rate))) for p in range(pairs)]
    found, truth, vectors = [], [], []
    for t in range(frames):
        seen = np.flatnonzero(~hidden[t])
        truth.append(Detections(boxes[t, seen], tracks=seen + 1))
        label, looks = _detected(draw, boxes[t], seen[draw.uniform(size=len(seen)) >= miss], identities, jitter, noise)
        extra = draw.poisson(false)
        corner = draw.uniform(0, 1, (extra, 2)) * [width - 40, 130 * pairs - 100]
        wrong = Detections(np.hstack([corner, corner + [40, 100]]), draw.uniform(0.1, 0.4, extra))
        found.append(Detections.concatenate([label, wrong]))
        vectors.append(np.concatenate([looks, _unit(draw.normal(size=(extra, dimensions)))]).astype(np.float32))
    return Scene(found, truth, vectors, meetings, rate, (130 * pairs, width))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _walks(draw: np.random.Generator, meeting: np.ndarray, frames: int, rate: float, width: int, turns: np.ndarray) -> np.ndarray:
    """(frames, 2 * pairs, 4) true boxes."""
    pairs = len(meeting)
    times = np.arange(frames)[:, None] / rate - meeting
    speed = draw.uniform(35, 60, (2, pairs)) * [[1], [-1]]
    way = np.where(turns, -np.abs(times), times)[:, None] * speed  # (frames, 2, pairs) from where the two meet
    wander = np.zeros((frames, 2, 2, pairs))
    for t in range(1, frames):
        wander[t] = 0.96 * wander[t - 1] + draw.normal(0, 1, (2, 2, pairs)) * np.array([4.0, 1.5])[:, None, None]
    drift = np.cumsum(wander, 0) / rate
    middle = np.array([[int(moment * rate)] for moment in meeting]).ravel()
    drift -= drift[np.clip(middle, 0, frames - 1), :, :, np.arange(pairs)].transpose(1, 2, 0)
    x = width / 2 + way + drift[:, 0]
    y = 65 + 130 * np.arange(pairs) + np.array([[3.0], [-3.0]]) + drift[:, 1]
    sides = np.stack([draw.uniform(32, 42, (2, pairs)), draw.uniform(85, 105, (2, pairs))], -1)
    middles = np.stack([x, y], -1)
    boxes = np.concatenate([middles - sides / 2, middles + sides / 2], -1)  # (frames, 2, pairs, 4)
    return boxes.transpose(0, 2, 1, 3).reshape(frames, 2 * pairs, 4)


def _detected(draw: np.random.Generator, boxes: np.ndarray, seen: np.ndarray, identities: np.ndarray, jitter: float, noise: float
              ) -> tuple[Detections, np.ndarray]:  # fmt: skip
    """Noisy detections of the walkers `seen`, and their looks."""
    shown, dimensions = boxes[seen], identities.shape[1]
    sides = np.tile(shown[:, 2:] - shown[:, :2], 2)
    before = seen - seen % 2  # who may stand before each
    covered = np.where((seen % 2 == 1) & np.isin(before, seen), iou_matrix(shown, boxes[before]).diagonal() if len(seen) else 0, 0)
    looks = _unit(identities[seen] * (1 - covered)[:, None] + identities[before] * covered[:, None])
    looks = _unit(looks + noise * draw.normal(size=(len(seen), dimensions)) / np.sqrt(dimensions))
    scores = np.clip(draw.uniform(0.75, 0.98, len(seen)) - 0.8 * np.maximum(covered - 0.2, 0), 0.15, 1)
    return Detections(shown + draw.normal(0, 1, shown.shape) * jitter * sides, scores), looks


def track_scene(tracker: Any, scene: Scene, appearance: bool) -> list[Detections]:
    """What a tracker makes of a scene, with or without the vectors."""
    return [tracker.update(found, vectors=looks if appearance else None) for found, looks in zip(scene.found, scene.vectors)]


def identities_kept(scene: Scene, tracked: Sequence[Detections]) -> np.ndarray:
    """(meetings,) bool: both walkers bear the numbers they had before, and two different ones.

    A walker's number is the most frequent one over a second: up to the meeting, and from half a second after it.
    """
    second = int(scene.rate)
    kept = []
    for first, last, begin, end in scene.meetings:
        pairs = []
        for walker in (first, last):
            before = _number(scene, tracked, walker, range(max(0, begin - second), begin))
            after = _number(scene, tracked, walker, range(end + second // 2, min(len(tracked), end + second // 2 + second)))
            pairs.append((before, after))
        same = all(before == after is not None for before, after in pairs)
        kept.append(same and pairs[0][0] != pairs[1][0])
    return np.array(kept, bool)


def _number(scene: Scene, tracked: Sequence[Detections], walker: int, frames: range) -> int | None:
    votes: Counter[int] = Counter()
    for t in frames:
        own = scene.truth[t].boxes[np.asarray(scene.truth[t].tracks) == walker]
        if len(own) and len(tracked[t]):
            overlap = iou_matrix(own, tracked[t].boxes)[0]
            if overlap.max() >= 0.5:
                votes[int(np.asarray(tracked[t].tracks)[overlap.argmax()])] += 1
    return votes.most_common(1)[0][0] if votes else None


class TrackerFault(Exception):
    """A tracker breaks its contract."""


def check_tracker(name: str, **settings: Any) -> None:
    """Check a tracker: repeatable, independent of the detections' order, unshaken by empty frames, numbers unique in a frame, all that
    detections carry kept, no track from weak scores alone, durations in seconds, old numbers given back by looks.

    Args:
        name: a name, or a path to a .py file.
        settings: of the tracker.

    Raises:
        TrackerFault: what does not hold.
        ChoiceError: nothing answers to the name.
    """
    make = member(load("methods/track", name), "tracker", "methods/track")
    scene = crossings(2, gap=0.5, seconds=4.0, seed=3)
    _check_repeatable(make, scene, settings)
    _check_order(make, scene, settings)
    _check_empty(make(**settings))
    _check_numbers(track_scene(make(rate=scene.rate, **settings), scene, True))
    _check_carried(make(**settings))
    _check_weak(make(**settings))
    _check_durations(make, settings)
    _check_recall(make, settings)


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise TrackerFault(fault)


def _same(a: Sequence[Detections], b: Sequence[Detections]) -> bool:
    return all(one.to_dict() == other.to_dict() for one, other in zip(a, b))


def _check_repeatable(make: Any, scene: Scene, settings: dict[str, Any]) -> None:
    tracker = make(rate=scene.rate, **settings)
    _require(isinstance(tracker.looks, bool), "`looks` must be True or False")
    first = track_scene(tracker, scene, True)
    _require(sum(map(len, first)) > 0, "nothing is tracked in a simple scene")
    _require(all(set(event) >= {"track", "place", "stage", "iou", "appearance", "cost"} for event in tracker.events), "`events` lack a key")
    _require(_same(first, track_scene(make(rate=scene.rate, **settings), scene, True)), "a second run gives other tracks")
    tracker.reset()
    _require(_same(first, track_scene(tracker, scene, True)), "after `reset` the tracks are others")


def _check_order(make: Any, scene: Scene, settings: dict[str, Any]) -> None:
    draw, straight, shuffled = np.random.default_rng(0), make(rate=scene.rate, **settings), make(rate=scene.rate, **settings)
    for found, looks in zip(scene.found, scene.vectors):
        order = draw.permutation(len(found))
        a, b = straight.update(found, vectors=looks), shuffled.update(found[order], vectors=looks[order])
        pairs = ({(int(n), *box) for n, box in zip(label.tracks, label.boxes.tolist())} for label in (a, b))
        _require(next(pairs) == next(pairs), "the order of a frame's detections changes their tracks")


def _check_empty(tracker: Any) -> None:
    none, one = Detections.empty(), Detections(np.array([[10, 10, 40, 90.0]]), np.array([0.95]))
    for found in (none, one, none, *[one] * 5, none):
        label = tracker.update(found)
        _require(len(label) <= len(found) and label.tracks is not None, "an empty frame gives something, or no `tracks`")
    _require(len(tracker.update(none, vectors=np.zeros((0, 8), np.float32))) == 0, "an empty frame with vectors fails")


def _check_numbers(tracked: Sequence[Detections]) -> None:
    for label in tracked:
        numbers = np.asarray(label.tracks)
        _require(numbers.dtype == np.int64, "`tracks` must be int64")
        _require(len(set(numbers.tolist())) == len(label) and bool((numbers >= 1).all()), "numbers must be unique in a frame, from 1")


def _check_carried(tracker: Any) -> None:
    boxes = np.array([[2, 2, 9, 20], [20, 4, 28, 24.0]])
    masks = np.zeros((2, 30, 40), bool)
    masks[0, 2:20, 2:9] = masks[1, 4:24, 20:28] = True
    found = Detections(boxes, np.array([0.9, 0.95]), np.array([1, 0]), masks, None, ("a", "b"), np.array([False, False]),
                       tuple(Outline.of(mask) for mask in masks))  # fmt: skip
    for _ in range(6):
        label = tracker.update(found)
    _require(len(label) == 2, "two still things are not tracked after six frames")
    given, kept = found.to_dict(), replace(label, tracks=None).to_dict()
    _require(given == kept, "masks, outlines, texts, classes or scores of the detections are lost or moved")


def _check_weak(tracker: Any) -> None:
    weak = Detections(np.array([[10, 10, 40, 90.0]]), np.array([0.15]))
    _require(not any(len(tracker.update(weak)) for _ in range(30)), "weak scores alone begin a track")


def _hidden_for(make: Any, settings: dict[str, Any], rate: float, seconds: float, looks: tuple[np.ndarray, np.ndarray] | None = None) -> bool:
    """Whether a still thing bears its number again after it was not seen for a while."""
    tracker = make(rate=rate, keep=1.0, **settings)
    one, numbers = Detections(np.array([[100, 100, 140, 200.0]]), np.array([0.9])), []
    for part in range(2):
        for _ in range(int(rate) + 1):
            label = tracker.update(one, vectors=None if looks is None else looks[part][None])
        numbers.append(label.tracks.tolist())
        for _ in range(int(seconds * rate) if part == 0 else 0):
            tracker.update(Detections.empty())
    return numbers[0] == numbers[1] != []


def _check_durations(make: Any, settings: dict[str, Any]) -> None:
    settings = {key: value for key, value in settings.items() if key not in ("rate", "keep")}
    for rate in (5.0, 25.0, 60.0):
        _require(_hidden_for(make, settings, rate, 0.8), f"with keep=1.0 a track is lost within 0.8 s at {rate:g} frames per second")
        _require(not _hidden_for(make, settings, rate, 1.6), f"with keep=1.0 a track is held for 1.6 s at {rate:g} frames per second")


def _check_recall(make: Any, settings: dict[str, Any]) -> None:
    settings = {key: value for key, value in settings.items() if key not in ("rate", "keep")}
    own, other = np.eye(16, dtype=np.float32)[:2]
    _require(_hidden_for(make, settings, 25.0, 5.0, (own, own)), "a thing that comes back after 5 s with the same look gets another number")
    _require(not _hidden_for(make, settings, 25.0, 5.0, (own, other)), "a thing of another look gets an old number")

"""Labels with tracks as sequences of frames, ready to be scored: what is ignored is taken out first.

The rule for ignored truth is MOTChallenge's: in each frame true and predicted boxes are matched one to one by overlap (0.5 or more,
largest sum); predictions matched to an ignored box (`Detections.crowd`) do not count, and neither do ignored boxes. A prediction
competes for the true boxes of its class and for all ignored ones, so that a reflection forgives a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.ops.box_overlap import overlap_matrix
from vidi.ops.tracking_scores import OVERLAP

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Film:
    """One sequence.

    Args:
        name: of the sequence; "" where none is given.
        rows: (T,) the place of each frame's sample, in the order of the frames.
        frames: (T,) their numbers.
    """

    name: str
    rows: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True, slots=True)
class Shots:
    """The boxes of one class in one sequence, frame by frame.

    Args:
        truth, predicted: tracks, (n,) and (m,) int64 for each frame.
        places: of each frame the places of both sides' boxes in their labels.
        overlaps: computes the (n, m) IoU of a frame when asked for it.
    """

    truth: list[np.ndarray]
    predicted: list[np.ndarray]
    places: list[tuple[np.ndarray, np.ndarray]]
    overlaps: Overlaps


@dataclass(frozen=True, slots=True)
class Overlaps(Sequence):
    """The IoU of both sides' boxes by frame, computed when asked for: all at once would not fit into memory."""

    boxes: list[tuple[np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Any) -> Any:
        return overlap_matrix(*self.boxes[index])


def films(count: int, settings: Mapping[str, Any]) -> list[Film]:
    """The sequences that `count` samples make up, by ``settings["groups"]`` (their names) and ``settings["frames"]`` (whole numbers).

    Without groups all are one sequence; without frames they are in order.

    Raises:
        InputError: not one entry for each sample, or one frame twice.
    """
    groups, frames = settings.get("groups"), settings.get("frames")
    for name, values in (("groups", groups), ("frames", frames)):
        if values is not None and len(values) != count:
            raise InputError("expected one for each sample", at=name, value=f"{len(values)} for {count}")
    names = ["" if groups is None or groups[i] is None else str(groups[i]) for i in range(count)]
    members: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        members.setdefault(name, []).append(i)
    found = []
    for name, rows in members.items():
        numbers = np.arange(len(rows)) if frames is None else np.array([int(frames[i]) for i in rows], np.int64)
        order = np.argsort(numbers, kind="stable")
        twice = np.flatnonzero(np.diff(numbers[order]) == 0)
        if len(twice):
            raise InputError("two samples are one frame", file=name or None, at="frames", value=int(numbers[order][twice[0]]))
        found.append(Film(name, np.array(rows, np.int64)[order], numbers[order]))
    return found


def counted(truth: Sequence[Detections], predicted: Sequence[Detections]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each sample which true and which predicted boxes count, (n,) and (m,) bool.

    Raises:
        InputError: a label without tracks; `at` is the sample's index.
    """
    found = []
    for i, (true, guess) in enumerate(zip(truth, predicted)):
        for label, what in ((true, "a true label"), (guess, "a prediction")):
            if len(label) and label.tracks is None:
                raise InputError(f"{what} has no tracks", at=i, value=f"{len(label)} boxes", fix="tracks are numbered things, as `vidi track` gives")
        wanted = np.ones(len(true), bool) if true.crowd is None else ~true.crowd
        found.append((wanted, _unforgiven(true, guess, wanted)))
    return found


def _unforgiven(true: Detections, guess: Detections, wanted: np.ndarray) -> np.ndarray:
    kept = np.ones(len(guess), bool)
    if wanted.all() or not len(guess):
        return kept
    overlap = overlap_matrix(true.boxes, guess.boxes)
    overlap[(overlap < OVERLAP - _EPS) | (wanted[:, None] & (true.classes[:, None] != guess.classes[None]))] = 0
    row, column = linear_sum_assignment(-overlap)
    hit = overlap[row, column] > _EPS
    kept[column[hit & ~wanted[row]]] = False
    return kept


def class_count(truth: Sequence[Detections], predicted: Sequence[Detections], space: Space) -> int:
    """How many classes there are, by name or by number."""
    highest = (int(label.classes.max()) for part in (truth, predicted) for label in part if len(label))
    return max(len(space), max(highest, default=-1) + 1)


def shots(
    film: Film, truth: Sequence[Detections], predicted: Sequence[Detections], masks: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[int, Shots]:
    """The boxes that count in one sequence, by class; classes without any are left out.

    Raises:
        InputError: a track that is twice in one frame; `at` is the sample's index.
    """
    sides = [[(part[row], mask[row][k]) for row in film.rows.tolist()] for k, (part, mask) in enumerate(((truth, masks), (predicted, masks)))]
    present = [label.classes[mask] for side in sides for label, mask in side]
    found = {}
    for kind in np.unique(np.concatenate([np.zeros(0, np.int64), *present])).tolist():
        places = [[np.flatnonzero(mask & (label.classes == kind)) for label, mask in side] for side in sides]
        tracks = [[label.tracks[place] if len(place) else place for (label, _), place in zip(*pair)] for pair in zip(sides, places)]
        for side in tracks:
            _check_once(film, side)
        boxes = [[label.boxes[place] for (label, _), place in zip(*pair)] for pair in zip(sides, places)]
        found[kind] = Shots(tracks[0], tracks[1], list(zip(*places)), Overlaps(list(zip(*boxes))))
    return found


def _check_once(film: Film, tracks: list[np.ndarray]) -> None:
    for row, ids in zip(film.rows.tolist(), tracks):
        if len(ids) > 1 and len(np.unique(ids)) < len(ids):
            values, times = np.unique(ids, return_counts=True)
            raise InputError("a track is twice in one frame", file=film.name or None, at=row, value=int(values[times > 1][0]), fix="see `vidi doctor`")

"""All boxes of a data set as tracks through their sequences, in columns, so that rules about tracks are a few array operations each.
Judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from vidi.core.dataset import Dataset
from vidi.labels import Detections

if TYPE_CHECKING:
    from vidi.data._look import Looks

_KNOWN: WeakKeyDictionary[Looks, Tracks] = WeakKeyDictionary()


@dataclass(eq=False, slots=True)
class Tracks:
    """One row per box that has a track, by sequence, track and frame.

    Args:
        box: (N,) int64, its place in `Looks.boxes`.
        sequence: (N,) int64, index into `names`.
        track: (N,) int64.
        frame: (N,) int64, counted from 0.
        order: (N,) int64, which of its sequence's labeled samples it is on, by frame, counted from 0.
        names: what the sequences are called.
        lengths: (S,) int64, how many labeled samples each sequence has.
        same: (max(0, N − 1),) bool, whether a row and the next are of one track.
    """

    box: np.ndarray
    sequence: np.ndarray
    track: np.ndarray
    frame: np.ndarray
    order: np.ndarray
    names: list[str]
    lengths: np.ndarray
    same: np.ndarray

    def __len__(self) -> int:
        return len(self.box)

    def runs(self) -> list[np.ndarray]:
        """The rows of each track."""
        return np.split(np.arange(len(self)), np.flatnonzero(~self.same) + 1) if len(self) else []


def sequences(dataset: Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By name, the rows of each sequence's samples in the order of its frames, and their frame numbers.

    A sequence is a group whose samples say which frame they are. Samples that say none are numbered in order.
    """
    members: dict[str, list[int]] = {}
    for row, sample in enumerate(dataset):
        members.setdefault(sample.group or "", []).append(row)
    found = {}
    for name, rows in members.items():
        told = [dataset[row].extra.get("frame") for row in rows]
        fine = all(isinstance(number, int) for number in told)
        frames = np.array(told if fine else range(len(rows)), np.int64)
        order = np.argsort(frames, kind="stable")
        found[name] = np.array(rows, np.int64)[order], frames[order]
    return found


def tracks_of(dataset: Dataset, looks: Looks) -> Tracks:
    """The tracks of a data set that was looked at; made once for all rules."""
    if looks not in _KNOWN:
        _KNOWN[looks] = _gathered(dataset, looks)
    return _KNOWN[looks]


def _gathered(dataset: Dataset, looks: Looks) -> Tracks:
    tracked = np.zeros(len(dataset), bool)
    ids = [np.zeros(0, np.int64)]
    for row, sample in enumerate(dataset):
        label = sample.label
        if isinstance(label, Detections) and len(label) and label.tracks is not None:
            tracked[row] = True
            ids.append(label.tracks)
    sequence, frame, order = np.zeros((3, len(dataset)), np.int64)
    found = sequences(dataset) if tracked.any() else {}
    labeled = np.array([sample.label is not None for sample in dataset], bool)
    for i, (rows, frames) in enumerate(found.values()):
        sequence[rows], frame[rows], order[rows] = i, frames, np.cumsum(labeled[rows]) - 1
    boxes = looks.boxes
    place = np.flatnonzero(tracked[boxes.row]) if len(boxes) else np.zeros(0, np.int64)
    track, on = np.concatenate(ids), boxes.row[place]
    rank = np.lexsort((frame[on], track, sequence[on]))
    on, track = on[rank], track[rank]
    same = (np.diff(track) == 0) & (np.diff(sequence[on]) == 0)
    lengths = np.array([labeled[rows].sum() for rows, _ in found.values()], np.int64)
    return Tracks(place[rank], sequence[on], track, frame[on], order[on], list(found), lengths, same)


def called(tracks: Tracks, row: int) -> str:
    """A track in words: its number, and its sequence where it has a name."""
    name = tracks.names[int(tracks.sequence[row])]
    return f"track {int(tracks.track[row])}" + (f" of {name}" if name else "")

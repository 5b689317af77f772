"""All boxes of a data set in columns, so that rules about boxes are a few array operations each. Judges nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.labels import Detections
from vidi.ops.boxes import area, clip_boxes
from vidi.ops.near_boxes import near_boxes

NEAR = 0.9
"""Boxes of one picture that overlap by this are looked at as a pair."""

ROUNDING = 1.0, 0.005
"""A box may leave the picture by so many pixels, or by this share of the picture's side."""


@dataclass(eq=False)
class Boxes:
    """One row per box, in the order of the samples.

    Args:
        row: (N,) int64, the place of its sample in the data set.
        place: (N,) int64, its place in the sample's label.
        box: (N, 4) float64, x1, y1, x2, y2 in pixels, as read: maybe not finite.
        score: (N,) float64.
        kind: (N,) int64, its class.
        crowd: (N,) bool.
        height, width: (N,) float64, of the picture; NaN where it was not read.

    Derived:
        sides: (N, 2) float64, width and height of the box; 0 where it is not finite.
        finite: (N,) bool, whether all four numbers are.
        sound: (N,) bool, finite and with an area.
        beyond: (N,) float64, by how many pixels it leaves the picture at most; 0 inside, and where that is not known.
        gone: (N,) bool, whether nothing of it is in the picture.
        leaves: (N,) bool, whether it leaves the picture by more than `ROUNDING`.
        pairs: places of two boxes (first, second) of one picture, and their overlap of at least `NEAR`. Crowds have no part in it, and of
            boxes that are wholly the same only the first is paired with others.
    """

    row: np.ndarray
    place: np.ndarray
    box: np.ndarray
    score: np.ndarray
    kind: np.ndarray
    crowd: np.ndarray
    height: np.ndarray
    width: np.ndarray
    sides: np.ndarray = field(init=False)
    finite: np.ndarray = field(init=False)
    sound: np.ndarray = field(init=False)
    beyond: np.ndarray = field(init=False)
    gone: np.ndarray = field(init=False)
    leaves: np.ndarray = field(init=False)
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        self.finite = np.isfinite(self.box).all(1)
        safe = np.where(self.finite[:, None], self.box, 0.0)
        self.sides = safe[:, 2:] - safe[:, :2]
        self.sound = self.finite & (self.sides > 0).all(1)
        frame = np.stack([self.width, self.height], 1)
        over = np.maximum(-safe[:, :2], safe[:, 2:] - frame)
        self.beyond = np.where(self.sound & np.isfinite(self.width), over.max(1, initial=0), 0.0)
        self.gone = self.sound & ((safe[:, :2] >= frame) | (safe[:, 2:] <= 0)).any(1)
        self.leaves = self.gone | (self.sound & (over > np.maximum(ROUNDING[0], ROUNDING[1] * frame)).any(1))
        self.pairs = self._pairs()

    def _pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        usable = np.flatnonzero(self.sound & ~self.crowd)
        whole = np.column_stack([self.row[usable], self.kind[usable], self.box[usable]])
        _, first, inverse = np.unique(whole, axis=0, return_index=True, return_inverse=True)
        original = usable[first[inverse.reshape(-1)]]
        again = usable[original != usable]
        single = np.sort(usable[first])
        one, other, overlap = near_boxes(self.box[single], self.row[single], NEAR)
        one = np.concatenate([single[one], original[original != usable]])
        other, overlap = np.concatenate([single[other], again]), np.concatenate([overlap, np.ones(len(again))])
        order = np.lexsort((one, other))
        return one[order], other[order], overlap[order]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def area(self) -> np.ndarray:
        """(N,) float64 in square pixels, 0 for faulty boxes."""
        return np.where(self.sound, area(np.where(self.sound[:, None], self.box, 0.0)), 0.0)

    @property
    def share(self) -> np.ndarray:
        """(N, 2) float64, width and height of the box over those of its picture; NaN where either is not known."""
        frame = np.stack([self.width, self.height], 1)
        return np.where(self.sound[:, None], self.sides / frame, np.nan)

    def clipped(self, index: int) -> tuple[float, float, float, float]:
        """A box cut to its picture."""
        x1, y1, x2, y2 = clip_boxes(self.box[index], (self.height[index], self.width[index])).tolist()
        return x1, y1, x2, y2


def boxes_of(dataset: Dataset, size: np.ndarray, seen: np.ndarray) -> Boxes:
    """The boxes of all labels that have boxes.

    Args:
        size: (S, 2), height and width of each sample's picture.
        seen: (S,) bool, whether it is known.
    """
    labels = [(row, sample.label) for row, sample in enumerate(dataset) if isinstance(sample.label, Detections) and len(sample.label)]
    counts = [len(label) for _, label in labels]
    row = np.repeat(np.array([row for row, _ in labels], np.int64), counts)
    place = np.concatenate([np.zeros(0, np.int64), *(np.arange(count) for count in counts)])
    crowd = [np.zeros(len(label), bool) if label.crowd is None else label.crowd for _, label in labels]
    frame = np.where(seen[:, None], size, np.nan)[row].astype(np.float64).reshape(-1, 2)
    return Boxes(
        row, place, np.concatenate([np.zeros((0, 4)), *(label.boxes for _, label in labels)]),
        np.concatenate([np.zeros(0), *(label.scores for _, label in labels)]),
        np.concatenate([np.zeros(0, np.int64), *(label.classes for _, label in labels)]),
        np.concatenate([np.zeros(0, bool), *crowd]), frame[:, 0], frame[:, 1],
    )  # fmt: skip


def place_of(sample: Sample, index: int) -> str:
    """Where a thing of a sample's label stands, in the words of its file, or by its number."""
    places = sample.extra.get("places")
    return str(places[index]) if isinstance(places, list) and index < len(places) else f"box {index}"

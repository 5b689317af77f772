"""What a tracker tells of its decisions while it makes them, where somebody listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vidi.methods.track._seen import Seen


@dataclass(frozen=True, slots=True)
class Pairing:
    """A stage of the association: K tracks and L detections that were free, and the pairs that were made.

    Args:
        stage: its name.
        rows, columns: (K,) tracks and (L,) detections, by their places.
        overlap: (K, L) IoU of the boxes where tracks were expected with the detections'.
        motion: (K, L) cost of pairs by their boxes.
        gate: what that had to stay below.
        looks: (K, L) distances of looks, 0 the same, 0.5 as far apart as things here are, NaN where unknown; None: looks had no say.
        doubt: (K, L) what stands for them in the decision.
        bonus: (K, L) what speaks for a pair besides; None: nothing.
        cost: (K, L) after looks and bonus; a pair from `top` on is refused.
        top: what it costs to leave a track alone.
        made: (P, 2) the pairs, by places in `rows` and `columns`.
    """

    stage: str
    rows: np.ndarray
    columns: np.ndarray
    overlap: np.ndarray
    motion: np.ndarray
    gate: float
    looks: np.ndarray | None
    doubt: np.ndarray | None
    bonus: np.ndarray | None
    cost: np.ndarray
    top: float
    made: np.ndarray


@dataclass(frozen=True, slots=True)
class Recall:
    """K new tracks beside L old ones out of sight, that they could be.

    Args:
        columns: (K,) the new tracks' detections, by their places.
        ids, unseen: (L,) numbers of the old ones, and for how many frames they were not seen.
        looks: (K, L) distances, as in `Pairing`.
        doubt: (K, L) what stands for them in the decision.
        together, foreign: (K, L) bool, which were seen at the same time, and which are of another class.
    """

    columns: np.ndarray
    ids: np.ndarray
    unseen: np.ndarray
    looks: np.ndarray
    doubt: np.ndarray
    together: np.ndarray
    foreign: np.ndarray


class Listener(Protocol):
    """Is told of a frame's decisions in the order in which they fall. Arrays are the tracker's own and not to be changed."""

    def expected(self, seen: Seen, tracks: Mapping[str, np.ndarray]) -> None:
        """The detections, and the tracks as they are before: copies of the table's columns, and expected ``boxes`` (N, 4)."""

    def paired(self, told: Pairing) -> None: ...

    def recalled(self, told: Recall) -> None: ...

    def numbered(self, numbers: np.ndarray) -> None:
        """(M,) the numbers that the detections bear now, 0 for none."""

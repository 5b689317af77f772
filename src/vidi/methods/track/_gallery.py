"""What tracks look like: a moving average per track, its say in matching, and the long memory that gives lost ones their number back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 2000
UNALIKE = 0.5
"""Distance of two looks that have nothing in common."""
_LEAST, _LONG = 0.05, 500


@dataclass(frozen=True, slots=True)
class Appearance:
    """How appearance is used where the detections come with vectors. Distances are (1 − cosine) / 2.

    Nets differ in how far apart they put two things. Things that are seen at the same time are not the same, so their usual distance is
    learned as the video goes on, and with `adapt` all distances are stretched until it is 0.5: then the settings mean the same for every
    net.

    Args:
        gate: largest distance at which two looks may be one thing (BoT-SORT, Aharon et al. 2022, arXiv:2206.14651: 0.25).
        near: least IoU at which a near look replaces the cost of motion (there: 0.5).
        weight: share of the distance that is added to the cost of every pair, so that of two boxes that fit the right look wins (as in
            Deep OC-SORT, Maggiolino et al. 2023, arXiv:2302.11813); 0 leaves the plain minimum of BoT-SORT.
        veto: distance from which on a pair is refused however well the boxes fit; 1 never.
        average: share of the old in the moving average of a track's vectors (there: 0.9).
        remember: seconds for which a track that was given up can be taken up again.
        recall: largest distance at which it is.
        adapt: whether distances are stretched.
    """

    gate: float = 0.25
    near: float = 0.5
    weight: float = 0.5
    veto: float = 0.4
    average: float = 0.9
    remember: float = 30.0
    recall: float = 0.2
    adapt: bool = True

    def apart(self, tracks: np.ndarray, known: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """(N, M) distances of tracks' vectors (N, D) from detections' (M, D); NaN where either is unknown.

        Args:
            known: (N,) bool, which tracks have a vector; a detection without one has NaN.
        """
        distance = (1 - tracks @ vectors.T) / 2
        distance[~known] = np.nan
        return distance

    def fuse(self, cost: np.ndarray, overlap: np.ndarray, apart: np.ndarray) -> np.ndarray:
        """(N, M) costs of motion in 0..1 with what the looks say: the smaller of both where boxes and looks are near."""
        alike = (apart <= self.gate) & (overlap >= self.near)
        fused = np.where(alike, np.minimum(cost, apart), cost)
        return np.where(apart >= self.veto, np.inf, fused)

    def extra(self, apart: np.ndarray) -> np.ndarray:
        """(N, M) what the looks add to a cost; where they are unknown, what a look at the gate would."""
        return self.weight * np.where(np.isnan(apart), self.gate, apart)

    def learn(self, vectors: np.ndarray, counts: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tracks' vectors (N, D) after the next one each, of unit length, and how many they have learned from (N,).

        The first ones have equal say, until the moving average would give a new one more.
        """
        known = np.isfinite(new).all(1)
        share = np.maximum(1 - self.average, 1 / (counts + 1))[:, None]
        mixed = (1 - share) * vectors + share * np.where(known[:, None], new, 0)
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
        return np.where(known[:, None], mixed, vectors), counts + known


class Gallery:
    """The looks of tracks that were given up, for `remember` seconds; the oldest go first when there are more than 2000.

    Args:
        appearance: the settings.
        frames: how long, in frames.
        class_aware: whether only a thing of the same class can be one of them.
    """

    def __init__(self, appearance: Appearance, frames: int, class_aware: bool) -> None:
        self.appearance, self.frames, self.class_aware = appearance, frames, class_aware
        self.ids, self.classes, self.last = (np.zeros(0, np.int64) for _ in range(3))
        self.vectors: np.ndarray | None = None
        self._usual, self._watched = UNALIKE, 2

    @property
    def stretch(self) -> float:
        """By what distances are multiplied, 1 or more."""
        return UNALIKE / max(self._usual, _LEAST) if self.appearance.adapt else 1.0

    def watch(self, vectors: np.ndarray) -> None:
        """Learns how far things are apart from the looks (K, D), of length 1, of tracks that are seen in one frame."""
        count = len(vectors)
        if count < 2:
            return
        together = vectors.sum(0)
        cosine = (together @ together - count) / (count * (count - 1))
        self._watched = min(self._watched + 1, _LONG)
        self._usual += (min((1 - cosine) / 2, UNALIKE) - self._usual) / self._watched

    def __len__(self) -> int:
        return len(self.ids)

    def store(self, ids: np.ndarray, vectors: np.ndarray, classes: np.ndarray, last: np.ndarray) -> None:
        """Keeps K tracks: numbers (K,), vectors (K, D), classes (K,), the frames they were last seen in (K,)."""
        if len(ids) == 0:
            return
        self.ids, self.classes = np.concatenate([self.ids, ids])[-MOST:], np.concatenate([self.classes, classes])[-MOST:]
        self.last = np.concatenate([self.last, last])[-MOST:]
        self.vectors = vectors.copy() if self.vectors is None else np.concatenate([self.vectors, vectors])[-MOST:]

    def expire(self, clock: int) -> None:
        """Forgets what was last seen too long before frame `clock`."""
        if len(self.ids) and (clock - self.last > self.frames).any():
            self._keep(clock - self.last <= self.frames)

    def forget(self, ids: np.ndarray) -> None:
        """Removes the tracks with these numbers: they are followed again."""
        if len(self.ids):
            self._keep(~np.isin(self.ids, ids))

    def _keep(self, chosen: np.ndarray) -> None:
        self.ids, self.classes, self.last = self.ids[chosen], self.classes[chosen], self.last[chosen]
        self.vectors = None if self.vectors is None else self.vectors[chosen]

    def recognize(
        self, vectors: np.ndarray, classes: np.ndarray, births: np.ndarray, lost: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    ) -> list[tuple[int, int, float]]:
        """Which new tracks are old ones: pairs that are each other's nearest, near enough, and were never seen at the same time.

        Args:
            vectors, classes, births: of K new tracks, (K, D), (K,) and the frames they began in (K,).
            lost: numbers, vectors, classes and last frames of tracks that are not given up yet, but not seen either.

        Returns:
            (place among the new, number of the old track, distance) of each pair.
        """
        ids, classes_then, last = (np.concatenate(pair) for pair in ((self.ids, lost[0]), (self.classes, lost[2]), (self.last, lost[3])))
        if len(ids) == 0 or len(vectors) == 0:
            return []
        looks = lost[1] if self.vectors is None else np.concatenate([self.vectors, lost[1]])
        distance = (1 - vectors @ looks.T) * (self.stretch / 2)
        distance[births[:, None] <= last[None]] = np.inf
        if self.class_aware:
            distance[classes[:, None] != classes_then[None]] = np.inf
        best, nearest = distance.argmin(1), distance.argmin(0)
        places = np.arange(len(vectors))
        found = (nearest[best] == places) & (distance[places, best] <= self.appearance.recall)
        return [(int(i), int(ids[best[i]]), float(distance[i, best[i]])) for i in np.flatnonzero(found)]

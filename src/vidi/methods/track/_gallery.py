"""What tracks look like: a moving average per track, its say in matching, and the long memory that gives lost ones their number back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 2000
UNALIKE = 0.5
"""Distance of two looks that have nothing in common."""
_LEAST, _LONG = 0.05, 500


class Spread:
    """Mean and variance of numbers that come one after the other; old ones are forgotten after some hundreds.

    Args:
        mean, deviation: what is believed before the first; of it, their ratio is kept as if it were a number's.
    """

    def __init__(self, mean: float, deviation: float) -> None:
        self.mean, self.variance, self.count = mean, deviation**2, 0

    def add(self, values: np.ndarray) -> None:
        """Learns from the values (K,)."""
        new = len(values)
        if new == 0:
            return
        mean = float(values.mean())
        if self.count == 0:
            self.variance *= (mean / self.mean) ** 2
            self.mean, self.count = mean, 1
        self.count = min(self.count + new, max(_LONG, new))
        share = new / self.count
        away = float(((values - self.mean) * (values - mean)).mean()) + (1 - share) * (mean - self.mean) ** 2
        self.variance += share * (away - self.variance)
        self.mean += share * (mean - self.mean)


class Likeness:
    """How sure a distance of two looks is, from the distances that are usual in this video between looks of one thing and of two.

    Where a net tells things apart badly, both are about the same, and no distance says much.
    """

    def __init__(self) -> None:
        self.same, self.other = Spread(0.1, 0.08), Spread(0.45, 0.12)

    def learn(self, distance: np.ndarray) -> None:
        """Learns from distances (K, K) of K things' looks from other looks of them: the diagonal is of one thing, the rest of two."""
        known, one = np.isfinite(distance), np.eye(len(distance), dtype=bool)
        self.same.add(distance[known & one])
        self.other.add(distance[known & ~one])

    def doubt(self, distance: np.ndarray, among: int = 1) -> np.ndarray:
        """The probability that two looks are not one thing's, where one of `among` candidates is as likely as none of them.

        Both kinds of distances count as normal, and those beyond the two means as the means: nearer than usual is no more than the same.
        """
        near, far = self.same.mean, self.other.mean
        if near >= far:
            return np.where(np.isnan(distance), np.nan, among / (among + 1))
        floor = max(_LEAST / 5, 0.1 * (far - near))
        first, second = (max(spread.variance**0.5, floor) for spread in (self.same, self.other))
        distance = np.clip(distance, near, far)
        odds = ((distance - near) / first) ** 2 / 2 - ((distance - far) / second) ** 2 / 2 + np.log(among * first / second)
        return 1 / (1 + np.exp(np.clip(-odds, -60, 60)))


@dataclass(frozen=True, slots=True)
class Appearance:
    """How appearance is used where the detections come with vectors. Distances are (1 − cosine) / 2.

    Nets differ in how far apart they put two things, and in how well they tell them. With `adapt` the probability that two looks are not
    one thing's stands for their distance in all that follows: learned as the video goes on, from tracks that are followed without doubt
    (see `Likeness`). So the settings mean the same for every net, and a net that tells nothing has no say.

    Looks have a say where boxes leave a choice: a box that fits one track alone, seen in the frame before, belongs to it.

    Args:
        gate: largest distance at which two looks may be one thing (BoT-SORT, Aharon et al. 2022, arXiv:2206.14651: 0.25).
        near: least IoU at which a near look replaces the cost of motion (there: 0.5).
        weight: share of the distance that is added to the cost of a pair, so that of two boxes that fit the right look wins (as in
            Deep OC-SORT, Maggiolino et al. 2023, arXiv:2302.11813); 0 leaves the plain minimum of BoT-SORT.
        veto: distance from which on a pair is refused; 1 never. A look that is hidden in part is far from its track's, so that little under 1
            refuses many of the right ones.
        average: share of the old in the moving average of a track's vectors (there: 0.9).
        remember: seconds for which a track that was given up can be taken up again.
        recall: largest distance at which it is.
        adapt: whether distances are made probabilities.
    """

    gate: float = 0.25
    near: float = 0.5
    weight: float = 0.5
    veto: float = 0.99999
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

    def fuse(self, cost: np.ndarray, overlap: np.ndarray, apart: np.ndarray, refuse: bool = True) -> np.ndarray:
        """(N, M) costs of motion in 0..1 with what the looks say: the smaller of both where boxes and looks are near; infinite where a
        look is refused."""
        alike = (apart <= self.gate) & (overlap >= self.near)
        fused = np.where(alike, np.minimum(cost, apart), cost)
        return np.where(apart >= self.veto, np.inf, fused) if refuse and self.veto < 1 else fused

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


@dataclass(frozen=True, slots=True)
class Compared:
    """K new tracks beside L old ones out of sight.

    Args:
        ids, last: (L,) numbers of the old ones, and the frames they were last seen in.
        far: (K, L) distances of their looks.
        together, foreign: (K, L) bool, which were seen at the same time, and which are of another class.
    """

    ids: np.ndarray
    last: np.ndarray
    far: np.ndarray
    together: np.ndarray
    foreign: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """(K, L), infinite where they cannot be one thing's."""
        return np.where(self.together | self.foreign, np.inf, self.far)


class Gallery:
    """What is usual between looks, and the looks of tracks that were given up, for `remember` seconds; the oldest go first when there are more than 2000.

    Args:
        appearance: the settings.
        frames: how long, in frames.
        class_aware: whether only a thing of the same class can be one of them.

    Attributes:
        passing: what a distance says from frame to frame.
        lasting: the same after a second and more.
    """

    def __init__(self, appearance: Appearance, frames: int, class_aware: bool) -> None:
        self.appearance, self.frames, self.class_aware = appearance, frames, class_aware
        self.ids, self.classes, self.last = (np.zeros(0, np.int64) for _ in range(3))
        self.vectors: np.ndarray | None = None
        self.passing, self.lasting = Likeness(), Likeness()
        self._usual, self._watched = UNALIKE, 2

    @property
    def stretch(self) -> float:
        """By what distances are multiplied to be told, 1 or more: then those of things in this video are 0.5 on average."""
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
        """Which new tracks are old ones; see `compare` and `choose`."""
        return self.choose(self.compare(vectors, classes, births, lost))

    def compare(
        self, vectors: np.ndarray, classes: np.ndarray, births: np.ndarray, lost: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    ) -> Compared:
        """New tracks beside old ones.

        Args:
            vectors, classes, births: of K new tracks, (K, D), (K,) and the frames they began in (K,).
            lost: numbers, vectors, classes and last frames of tracks that are not given up yet, but not seen either.
        """
        ids, then, last = (np.concatenate(pair) for pair in ((self.ids, lost[0]), (self.classes, lost[2]), (self.last, lost[3])))
        looks = lost[1] if self.vectors is None else np.concatenate([self.vectors, lost[1]])
        together = births[:, None] <= last[None]
        foreign = classes[:, None] != then[None] if self.class_aware else np.zeros_like(together)
        return Compared(ids, last, (1 - vectors @ looks.T) / 2, together, foreign)

    def doubt(self, compared: Compared, distance: np.ndarray | None = None) -> np.ndarray:
        """What stands for distances in the decision, by default for those of all looks, (K, L)."""
        distance = compared.far if distance is None else distance
        among = np.isfinite(compared.distance).sum(1).max(initial=1)
        return self.lasting.doubt(distance, among) if self.appearance.adapt else distance

    def choose(self, compared: Compared) -> list[tuple[int, int, float]]:
        """Which new tracks are old ones: pairs that are each other's nearest, near enough, and were never seen at the same time.

        Returns:
            (place among the new, number of the old track, distance) of each pair.
        """
        distance = compared.distance
        if not distance.size:
            return []
        best, nearest = distance.argmin(1), distance.argmin(0)
        places = np.arange(len(distance))
        gap = distance[places, best]
        unsure = self.doubt(compared, gap)
        found = (nearest[best] == places) & np.isfinite(gap) & (unsure <= self.appearance.recall)
        return [(int(i), int(compared.ids[best[i]]), float(gap[i] * self.stretch)) for i in np.flatnonzero(found)]

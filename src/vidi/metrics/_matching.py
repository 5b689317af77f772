"""Which prediction found which thing, settled once so that numbers and hundreds of resamples only count.

The rules are COCO's: in each picture and class the predictions choose by falling score, each the free thing it overlaps most. What
overlaps is a parameter: a `Measure` of boxes, masks or boundaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.metrics._measures import BOXES, Measure, canvas_of, thing_sizes

CAPS = (1, 10, 100)
THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's size buckets in square pixels, both ends included."""

FOUND = 0.5
"""The overlap from which on a thing counts as found where nothing else is said."""

LEAST = 0.1
"""The smallest overlap that any metric asks for."""

_LEAST_OVERLAP = 1e-10


@dataclass(frozen=True, slots=True)
class Side:
    """The things of one side, of all pictures one after another.

    Args:
        rows: (N,) the picture of each.
        classes: (N,) int64.
        scores: (N,) float64.
        boxes: (N, 4) float64.
        sizes: (N,) float64, areas in square pixels.
        crowd: (N,) bool.
        places: (N,) the index in the picture's label.
        ranks: (N,) the place by falling score within picture and class; only of predictions.
    """

    rows: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    crowd: np.ndarray
    places: np.ndarray
    ranks: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Things:
    """Truth and predictions of many pictures, and the pairs that overlap.

    Args:
        pictures: how many there are.
        classes: how many there are.
        truth: the things marked, in the labels' order.
        predicted: the things found; in each picture by class and falling score, cut to the cap.
        pairs: (2, M) indices of a prediction and a true thing, by prediction, then by thing.
        overlaps: (M,) of each pair; with crowds the share of the prediction inside.
        cut: (pictures,) bool, where predictions beyond the cap were left out.
    """

    pictures: int
    classes: int
    truth: Side
    predicted: Side
    pairs: np.ndarray
    overlaps: np.ndarray
    cut: np.ndarray

    @property
    def same_class(self) -> np.ndarray:
        """(M,) bool: the pairs of one class."""
        return self.predicted.classes[self.pairs[0]] == self.truth.classes[self.pairs[1]]

    def narrowed(self, floor: float, across: bool) -> Things:
        """The same with only the pairs that `gather` makes with these settings."""
        kept = self.overlaps >= floor
        if not across:
            kept &= self.same_class
        return self if kept.all() else replace(self, pairs=self.pairs[:, kept], overlaps=self.overlaps[kept])

    def order(self) -> list[np.ndarray]:
        """The predictions of each class by falling score; equal scores by picture, there by box."""
        order = np.lexsort((-self.predicted.scores, self.predicted.classes))
        return np.split(order, np.searchsorted(self.predicted.classes[order], np.arange(1, self.classes)))


def wanted_things(truth: Sequence[Detections]) -> np.ndarray:
    """(N,) bool over the true things of all pictures: those that are to be found, all but crowds."""
    return np.concatenate([np.zeros(0, bool), *(~_crowd(label) for label in truth)])


def caps_of(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """How many predictions of a class count per picture, rising; `settings` may give ``max_dets``: one cap or several.

    Raises:
        InputError: a cap is not a whole number of 1 or more.
    """
    given = settings.get("max_dets")
    if given is None:
        return CAPS
    several = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
    values = list(given) if several else [*[cap for cap in CAPS[:-1] if isinstance(given, int) and cap < given], given]
    if not values or any(isinstance(cap, bool) or not isinstance(cap, int | np.integer) or cap < 1 for cap in values):
        raise InputError("expected one cap of predictions per picture and class, or several", at="max_dets", value=given)
    return tuple(sorted({int(cap) for cap in values}))


def gather(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, *, cap: int = CAPS[-1], floor: float = FOUND,
    across: bool = False, measure: Measure = BOXES, sizes: Sequence[tuple[int, int]] | None = None,
) -> Things:  # fmt: skip
    """Bring truth and predictions of all pictures together.

    Args:
        truth, predicted: one label per picture.
        space: what the classes are.
        cap: predictions of one class that count in one picture, those with the highest scores.
        floor: smallest overlap that makes a pair.
        across: whether things of different classes make pairs, too.
        measure: by what things are compared.
        sizes: the pictures' (height, width); needed only for the masks of polygons without any run lengths beside them.

    Raises:
        InputError: the masks of one picture differ in size.
    """
    own: list[tuple[np.ndarray, ...]] = []
    ranks, pairs, overlaps = [np.zeros(0, np.int64)], [np.zeros((2, 0), np.int64)], [np.zeros(0)]
    cut, before = np.zeros(len(truth), bool), np.zeros(2, np.int64)
    chosen, floor = [], max(floor, _LEAST_OVERLAP)
    for row, (true, guess) in enumerate(zip(truth, predicted)):
        order, rank = _by_score(guess)
        kept = rank < cap
        cut[row] = not kept.all()
        order = order[kept]
        chosen.append(order)
        ranks.append(rank[kept])
        canvas = canvas_of((true, guess), None if sizes is None else sizes[row], row) if measure.pixels else None
        shapes, classes = measure.shapes(guess, order, canvas), guess.classes[order]
        own.append((guess.boxes[order], guess.scores[order], classes, measure.sizes(shapes)))
        if len(true) and len(order):
            values = measure.overlap(shapes, measure.shapes(true, np.arange(len(true)), canvas), _crowd(true), floor)
            near = values >= floor
            if not across:
                near &= classes[:, None] == true.classes[None]
            found = np.stack(np.nonzero(near))
            pairs.append(found + before[:, None])
            overlaps.append(values[found[0], found[1]])
        before += (len(order), len(true))
    marked = [(label.boxes, label.scores, label.classes, thing_sizes(label)) for label in truth]
    places = [np.arange(len(label)) for label in truth]
    left, right = _side(marked, places, [_crowd(label) for label in truth]), _side(own, chosen, None, np.concatenate(ranks))
    highest = max((int(side.classes.max()) for side in (left, right) if len(side)), default=-1)
    count = max(len(space), highest + 1)
    return Things(len(truth), count, left, right, np.concatenate(pairs, 1), np.concatenate(overlaps), cut)


def things_of(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any], measure: Measure = BOXES, *,
    floor: float = FOUND, across: bool = False,
) -> Things:  # fmt: skip
    """`gather` by the metrics' settings; the metrics of one evaluation, which have a dict ``shared`` in common, do it once for each measure.

    Args:
        settings: may hold ``max_dets`` and the pictures' ``sizes``.
        floor: as of `gather`, at least `LEAST`.
    """
    cap, sizes = caps_of(settings)[-1], settings.get("sizes")
    shared = settings.get("shared")
    if shared is None:
        return gather(truth, predicted, space, cap=cap, floor=floor, across=across, measure=measure, sizes=sizes)
    key = (measure.name, cap, id(truth), id(predicted))
    if key not in shared:  # the labels are kept as well, so that no others can take their place in memory
        shared[key] = gather(truth, predicted, space, cap=cap, floor=LEAST, across=True, measure=measure, sizes=sizes), truth, predicted
    return shared[key][0].narrowed(floor, across)


def _crowd(label: Detections) -> np.ndarray:
    return np.zeros(len(label), bool) if label.crowd is None else label.crowd


def _by_score(label: Detections) -> tuple[np.ndarray, np.ndarray]:
    """Indices by class and falling score, equal scores by box; and each one's place within its class."""
    order = np.lexsort((*label.boxes.T[::-1], -label.scores, label.classes))
    classes = label.classes[order]
    starts = np.flatnonzero(np.append(True, classes[1:] != classes[:-1]))[: len(classes)]
    counts = np.diff(np.append(starts, len(classes)))
    return order, np.arange(len(classes)) - np.repeat(starts, counts)


def _side(
    parts: Sequence[tuple[np.ndarray, ...]],
    places: Sequence[np.ndarray],
    crowds: Sequence[np.ndarray] | None,
    ranks: np.ndarray | None = None,
) -> Side:
    rows = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    empty = (np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0))
    boxes, scores, classes, sizes = (np.concatenate([part[i] for part in (empty, *parts)]) for i in range(4))
    return Side(
        rows, classes, scores, boxes, sizes,
        np.zeros(len(rows), bool) if crowds is None else np.concatenate([np.zeros(0, bool), *crowds]),
        np.concatenate([np.zeros(0, np.int64), *places]), np.zeros(len(rows), np.int64) if ranks is None else ranks,
    )  # fmt: skip


def match(things: Things, thresholds: np.ndarray, ignored: np.ndarray | None = None) -> np.ndarray:
    """The thing that each prediction found, at each overlap that counts as found.

    Predictions choose by falling score: of the free things that they overlap enough the one they overlap most (of equal ones the
    last), an ignored one only if there is no other. Crowds stay free.

    Args:
        things: with pairs down to the lowest threshold.
        thresholds: (T,) smallest overlap.
        ignored: (N,) bool, true things that need not be found; the crowds when None.

    Returns:
        (T, P) index of a true thing, −1 for none.
    """
    thresholds = np.atleast_1d(np.asarray(thresholds, np.float64))
    ignored = things.truth.crowd if ignored is None else ignored
    found = np.full((len(thresholds), len(things.predicted)), -1, np.int64)
    taken = np.zeros((len(thresholds), len(things.truth)), bool)
    same = things.same_class
    (first, second), overlaps = things.pairs[:, same], things.overlaps[same]
    seekers, starts, counts = np.unique(first, return_index=True, return_counts=True)
    for members in _rounds(things.predicted, seekers):
        slot = np.arange(counts[members].max())
        valid = slot < counts[members][:, None]
        pair = np.where(valid, starts[members][:, None] + slot, starts[members][:, None])
        target, value = second[pair], np.where(valid, overlaps[pair], -1.0)  # (m, K)
        usable = (value >= thresholds[:, None, None]) & (~taken[:, target] | things.truth.crowd[target])  # (T, m, K)
        wanted = usable & ~ignored[target]
        usable = np.where(wanted.any(2, keepdims=True), wanted, usable)
        best = slot[-1] - np.where(usable, value, -1.0)[:, :, ::-1].argmax(2)
        chosen = target[np.arange(len(members)), best]
        hit = usable.any(2)
        found[:, seekers[members]] = np.where(hit, chosen, -1)
        level, place = np.nonzero(hit)
        taken[level, chosen[level, place]] = True
    return found


def _rounds(side: Side, seekers: np.ndarray) -> list[np.ndarray]:
    """Positions in `seekers`: first the best of every picture and class, then every second, and so on."""
    if not len(seekers):
        return []
    rows, classes = side.rows[seekers], side.classes[seekers]
    starts = np.flatnonzero(np.append(True, (rows[1:] != rows[:-1]) | (classes[1:] != classes[:-1])))
    turn = np.arange(len(seekers)) - np.repeat(starts, np.diff(np.append(starts, len(seekers))))
    order = np.argsort(turn, kind="stable")
    return np.split(order, np.cumsum(np.bincount(turn))[:-1])


def sums_by_picture(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How much the entries at pictures `rows` (M,) weigh together under (R, N) weights: (R,)."""
    return weights @ np.bincount(rows, minlength=weights.shape[1]).astype(np.float64)

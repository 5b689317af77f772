"""What the metrics about class maps share: each picture's maps are unpacked, looked at once, and only counts are kept.

A pixel whose true class is not known has no say. A pixel that the prediction leaves unknown, though its true class is known, is a
miss of that class and of no class a false find.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

import numpy as np

from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Segmentation
from vidi.metrics._arrays import DRAWN_CLASSES, mean, mean_defined, names_of, ratio, rounded

UNKNOWN = -1

Value = TypeVar("Value")


def remembered(look: Callable[..., Value]) -> Callable[..., Value]:
    """A function of (truth, prediction, settings…) that keeps its last answer about a prediction for as long as that lives.

    Numbers, figures and galleries ask the same; so each pair of maps is unpacked and looked at once.
    """
    kept: WeakKeyDictionary[Any, tuple[ref, Hashable, Value]] = WeakKeyDictionary()

    @wraps(look)
    def once(true: Any, guess: Any, *settings: Hashable) -> Value:
        known = kept.get(guess)
        if known is None or known[0]() is not true or known[1] != settings:
            known = kept[guess] = ref(true), settings, look(true, guess, *settings)
        return known[2]

    return once


def known_maps(true: Segmentation, guess: Segmentation) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes, both (H, W) int32: −1 where the truth is not known, and in the second where the prediction is not.

    Raises:
        InputError: the maps differ in size.
    """
    if true.shape != guess.shape:
        sizes = " for ".join(f"{height}×{width}" for height, width in (guess.shape, true.shape))
        raise InputError("truth and prediction must be maps of one size", value=sizes)
    first, second = true.classes, guess.classes
    first = np.where(first == true.ignore, UNKNOWN, first)
    return first, np.where((first == UNKNOWN) | (second == guess.ignore), UNKNOWN, second)


@remembered
def confusions(true: Segmentation, guess: Segmentation) -> np.ndarray:
    """The pixels of known truth by true and predicted class: (3, K) int64, true class, predicted class or −1, and how many."""
    first, second = known_maps(true, guess)
    high = int(second.max(initial=UNKNOWN)) + 2
    table = np.bincount(((first + 1) * high + (second + 1)).ravel())
    code = np.flatnonzero(table)
    code = code[code >= high]
    return np.stack([code // high - 1, code % high - 1, table[code]])


@dataclass(frozen=True, slots=True)
class Tables:
    """Pixels of N pictures by class.

    Args:
        hits: (N, C) float64 pixels of the class in truth and prediction.
        present: (N, C) pixels of the class in the truth.
        chosen: (N, C) pixels of the class in the prediction.
        matrix: (C, C + 1) int64 pixels of all pictures by true and predicted class; the last column: no prediction.
    """

    hits: np.ndarray
    present: np.ndarray
    chosen: np.ndarray
    matrix: np.ndarray

    @property
    def classes(self) -> int:
        return self.hits.shape[1]

    def sums(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits, present and chosen under (R, N) weights, each (R, C)."""
        return weights @ self.hits, weights @ self.present, weights @ self.chosen

    def all(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of all pictures, each (C,)."""
        return self.hits.sum(0), self.present.sum(0), self.chosen.sum(0)


def tables(truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space) -> Tables:
    """Count the pixels of all pictures, one after another.

    Raises:
        InputError: maps differ in size.
    """
    found = [confusions(true, guess) for true, guess in zip(truth, predicted)]
    highest = max((int(part[:2].max()) for part in found if part.size), default=-1)
    count = max(len(space), highest + 1)
    shape = (len(found), count)
    hits, present, chosen = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    matrix = np.zeros((count, count + 1), np.int64)
    for row, (true, guess, pixels) in enumerate(found):
        np.add.at(present[row], true, pixels)
        given, right = guess != UNKNOWN, guess == true
        np.add.at(chosen[row], guess[given], pixels[given])
        hits[row, true[right]] = pixels[right]
        np.add.at(matrix, (true, guess), pixels)
    return Tables(hits, present, chosen, matrix)


@remembered
def _class_set(true: Segmentation, same: Segmentation) -> np.ndarray:
    classes = true.classes
    return np.flatnonzero(np.bincount(classes[classes != true.ignore].ravel()))


def pictures_of(truth: Sequence[Segmentation], space: Space) -> np.ndarray:
    """How many pictures show each class, (C,) int64."""
    found = [_class_set(label, label) for label in truth]
    each = np.concatenate([np.zeros(0, np.int64), *found])
    return np.bincount(each, minlength=len(space))


def by_class(name: str, values: np.ndarray, space: Space) -> dict[str, np.ndarray]:
    """(R, C) numbers by class as ``name_<class>``; none for more than ten classes, whose place is the table."""
    if not 0 < values.shape[1] <= DRAWN_CLASSES:
        return {}
    return {f"{name}_{one}": values[:, c] for c, one in enumerate(names_of(space, values.shape[1]))}


def class_counts(name: str, truth: Sequence[Segmentation], space: Space) -> dict[str, int]:
    """How many pictures stand behind each number of `by_class`: those that show the class."""
    return {key: int(values[0]) for key, values in by_class(name, pictures_of(truth, space)[None], space).items()}


def share_by_class(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The mean over the classes of upper / lower, both (…, C): (…,), NaN where no class has anything below."""
    return mean_defined(ratio(upper, lower))


def mean_by_class(weights: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over pictures of (N, C) values under (R, N) weights, NaN left out: by class (R, C), and their mean (R,)."""
    found = mean(weights, values)
    return found, mean_defined(found)


def histogram(title: str, values: np.ndarray, label: str) -> list[dict[str, Any]]:
    """How many pictures reach which share, ten bars; no figure for less than two pictures."""
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return []
    count, edges = np.histogram(values, bins=10, range=(0.0, 1.0))
    labels = [f"{low:.1f}–{high:.1f}" for low, high in zip(edges, edges[1:])]
    lowest, middle = (float(f(values)) for f in (np.min, np.median))
    note = f"Lowest {lowest:.4g}, median {middle:.4g}."
    return [{"kind": "bars", "title": title, "labels": labels, "values": count.tolist(), "xlabel": label, "ylabel": "pictures", "note": note}]


def columns(*parts: np.ndarray, digits: int = 4) -> list[list]:
    """Rounded columns for a table, whole numbers as such."""
    return [part.astype(int).tolist() if part.dtype.kind in "iu" else rounded(part, digits) for part in parts]

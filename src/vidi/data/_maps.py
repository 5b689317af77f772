"""What the class maps of a data set hold, in columns, so that rules about maps are a few array operations each. Judges nothing, keeps no map."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.data._workers import cores
from vidi.labels import Segmentation

SPECK = 10
"""A connected part of a map with fewer pixels is a speck."""

GROUND = "background"


@dataclass(eq=False)
class Maps:
    """One row per class map, in the order of the samples.

    Args:
        row: (M,) int64, the place of its sample in the data set.
        size: (M, 2) int64, its height and width.
        pixels: (M, C) int64, of each class.
        unknown: (M,) int64, pixels of which nothing is known.
        strange: by map, values that no class has, with their pixels.
        parts: (M,) int64, connected parts, pixels that touch by a corner being connected.
        specks: (M,) int64, parts of fewer than `SPECK` pixels.
    """

    row: np.ndarray
    size: np.ndarray
    pixels: np.ndarray
    unknown: np.ndarray
    strange: list[dict[int, int]]
    parts: np.ndarray
    specks: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def table(self, count: int) -> np.ndarray:
        """(count, C) float32: 1 where a sample's map has a pixel of the class, else 0; NaN for samples without a map."""
        found = np.full((count, self.pixels.shape[1]), np.nan, np.float32)
        found[self.row] = self.pixels > 0
        return found


def maps_of(dataset: Dataset) -> Maps:
    """Every map is unpacked once, in threads, and dropped."""
    count = len(dataset.space) if dataset.space is not None else 0
    labels = [(row, sample.label) for row, sample in enumerate(dataset) if isinstance(sample.label, Segmentation)]

    def one(item: tuple[int, Segmentation]) -> tuple[np.ndarray, int, dict[int, int], int, int]:
        return _measure(item[1], count)

    with ThreadPoolExecutor(min(cores(), 32)) as pool:
        found = list(pool.map(one, labels))
    return Maps(
        np.array([row for row, _ in labels], np.int64), np.array([label.shape for _, label in labels], np.int64).reshape(-1, 2),
        np.array([pixels for pixels, *_ in found], np.int64).reshape(len(labels), count), np.array([unknown for _, unknown, *_ in found], np.int64),
        [strange for _, _, strange, _, _ in found], np.array([parts for *_, parts, _ in found], np.int64), np.array([specks for *_, specks in found], np.int64),
    )  # fmt: skip


def _measure(label: Segmentation, count: int) -> tuple[np.ndarray, int, dict[int, int], int, int]:
    """Pixels of each class, unknown ones, those of strange values, parts and specks."""
    classes = label.classes
    kinds, sizes = parts_of(classes)
    kept = kinds != label.ignore
    values, places = np.unique(kinds, return_inverse=True)
    totals = np.bincount(places, weights=sizes, minlength=len(values)).astype(np.int64)
    pixels, unknown, strange = np.zeros(count, np.int64), 0, {}
    for value, total in zip(values.tolist(), totals.tolist()):
        if value == label.ignore:
            unknown = total
        elif 0 <= value < count:
            pixels[value] = total
        else:
            strange[value] = total
    return pixels, unknown, strange, int(kept.sum()), int((sizes[kept] < SPECK).sum())


def parts_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected parts of one value in a map (H, W): value and pixels of each, (K,) each. Pixels that touch by a corner are connected.

    Runs along the rows are joined to those they touch in the next row, so that the work grows with the runs and not with pixels.
    """
    height, width = values.shape
    if not values.size:
        return values.ravel()[:0], np.zeros(0, np.int64)
    new = np.ones((height, width), bool)
    new[:, 1:] = values[:, 1:] != values[:, :-1]
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, values.size))
    kinds = values.ravel()[starts]
    rows, first = np.divmod(starts, width)
    upper = np.flatnonzero(rows < height - 1)
    below = (rows[upper] + 1) * width
    low = np.searchsorted(starts, below + np.maximum(first[upper] - 1, 0), "right") - 1
    high = np.searchsorted(starts, below + np.minimum(first[upper] + lengths[upper], width - 1), "right") - 1
    many = high - low + 1
    one = np.repeat(upper, many)
    other = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    same = kinds[one] == kinds[other]
    graph = coo_matrix((np.ones(int(same.sum()), bool), (one[same], other[same])), shape=(len(starts), len(starts)))
    count, part = connected_components(graph, directed=False)
    value = np.zeros(count, values.dtype)
    value[part] = kinds
    return value, np.bincount(part, weights=lengths, minlength=count).astype(np.int64)


def ground_of(space: Space) -> int | None:
    """The class that is background: the one called so, else one called by the number 0."""
    return next((index for index, name in enumerate(space.names) if name.casefold() in (GROUND, "0", "#000000")), None)

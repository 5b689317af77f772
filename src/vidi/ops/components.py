"""Connected parts of class maps, and the removal of small ones."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True, slots=True)
class Components:
    """The K connected parts of a class map, numbered by their first pixel, row by row.

    Args:
        labels: (H, W) int64, the part of each pixel, 0..K-1.
        classes: (K,) the value that the map has there.
        areas: (K,) int64 pixels.
        boxes: (K, 4) int64, x1, y1, x2, y2 in pixels; the upper ends lie one beyond the last pixel.
    """

    labels: np.ndarray
    classes: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.areas)


def components(classes: np.ndarray, *, diagonal: bool = True) -> Components:
    """The connected parts of a map: every pixel belongs to the part of those of its value that it can be reached from.

    All values at once, by runs of equal pixels along the rows, in time that hardly grows with the number of classes.

    Args:
        classes: (H, W) whole numbers; a value that means "not known" forms parts as well.
        diagonal: whether pixels that share only a corner touch.
    """
    classes = np.asarray(classes)
    height, width = classes.shape
    if classes.size == 0:
        return Components(np.zeros((height, width), np.int64), classes.ravel(), np.zeros(0, np.int64), np.zeros((0, 4), np.int64))
    start = np.ones((height, width), bool)
    start[:, 1:] = classes[:, 1:] != classes[:, :-1]
    first = np.flatnonzero(start)
    lengths = np.diff(np.append(first, classes.size))
    run = (np.cumsum(start.ravel()) - 1).reshape(height, width)
    above, below = _touching(classes, start, run, diagonal)
    graph = coo_matrix((np.ones(len(above), np.int8), (above, below)), shape=(len(first), len(first)))
    count, group = connected_components(graph, directed=False)

    order = np.argsort(group, kind="stable")
    heads = order[np.searchsorted(group[order], np.arange(count))]  # the first run of each part
    rank = np.empty(count, np.int64)
    rank[np.argsort(heads, kind="stable")] = np.arange(count)
    group = rank[group]
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count))
    rows, left = first // width, first % width
    boxes = [np.minimum.reduceat(part[order], starts) for part in (left, rows)]
    boxes += [np.maximum.reduceat(part[order], starts) for part in (left + lengths, rows + 1)]
    areas = np.add.reduceat(lengths[order], starts)
    values = classes.ravel()[first[order[starts]]]
    return Components(np.repeat(group, lengths).reshape(height, width), values, areas, np.stack(boxes, 1))


def _touching(classes: np.ndarray, start: np.ndarray, run: np.ndarray, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of runs of one value in neighboring rows that touch, at least one pair for each two that do."""
    upper, lower = classes[:-1], classes[1:]
    meets = (upper == lower) & (start[:-1] | start[1:])
    pairs = [(run[:-1][meets], run[1:][meets])]
    if diagonal:
        one, two, three, four = upper[:, :-1], upper[:, 1:], lower[:, :-1], lower[:, 1:]
        falling = (one == four) & (one != two) & (one != three)
        rising = (two == three) & (two != one) & (two != four)
        pairs.append((run[:-1, :-1][falling], run[1:, 1:][falling]))
        pairs.append((run[:-1, 1:][rising], run[1:, :-1][rising]))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def remove_small(classes: np.ndarray, least: int, *, ignore: int = 255, diagonal: bool = True) -> np.ndarray:
    """A class map without small parts.

    The smallest part comes first (of equal ones the one whose first pixel comes first, row by row). It takes the class that it shares
    the longest border with, counted in sides of pixels (of equal ones the lower class), and so becomes one with the parts of that
    class that it touches; then the next smallest, until all that are left have `least` pixels.

    Args:
        classes: (H, W) whole numbers.
        least: parts of fewer pixels go.
        ignore: the value that means "not known": such parts stay, and give no class to others. A part that has no other neighbors
            stays, too.
        diagonal: whether pixels that share only a corner touch; if not, thin slanting lines fall into single pixels, and go.

    Returns:
        (H, W) of the same type.
    """
    classes = np.asarray(classes)
    parts = components(classes, diagonal=diagonal)
    small = (parts.areas < least) & (parts.classes != ignore)
    if not small.any():
        return classes.copy()
    merged = _Merging(parts, _borders(parts.labels, small, diagonal), ignore)
    return merged.run(least, np.flatnonzero(small).tolist())[parts.labels].astype(classes.dtype)


def _borders(labels: np.ndarray, small: np.ndarray, diagonal: bool) -> dict[int, dict[int, int]]:
    """For each small part its neighbors with the length of the common border; 0 where they share only corners."""
    sides = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
    corners = [(labels[:-1, :-1], labels[1:, 1:]), (labels[:-1, 1:], labels[1:, :-1])] if diagonal else []
    count, codes, lengths = len(small), [], []
    for turn, (first, second) in enumerate(sides + corners):
        differ = (first != second) & (small[first] | small[second])
        a, b = first[differ], second[differ]
        codes += [a * count + b, b * count + a]
        lengths.append(np.full(2 * len(a), turn < len(sides), np.int64))
    pairs, inverse = np.unique(np.concatenate(codes), return_inverse=True)
    total = np.bincount(inverse, weights=np.concatenate(lengths)).astype(np.int64)
    found: dict[int, dict[int, int]] = {part: {} for part in np.flatnonzero(small).tolist()}
    for pair, length in zip(pairs.tolist(), total.tolist()):
        one, other = divmod(pair, count)
        if small[one]:
            found[one][other] = length
    return found


class _Merging:
    """Parts that become one with their neighbors; a part is known by the lowest of the numbers that went into it."""

    def __init__(self, parts: Components, borders: dict[int, dict[int, int]], ignore: int):
        self.borders, self.ignore = borders, ignore
        self.classes, self.areas = parts.classes.tolist(), parts.areas.tolist()
        self.leader = list(range(len(parts)))

    def find(self, part: int) -> int:
        while self.leader[part] != part:
            self.leader[part] = self.leader[self.leader[part]]
            part = self.leader[part]
        return part

    def run(self, least: int, small: list[int]) -> np.ndarray:
        """The class of each of the first parts, after all under `least` pixels are gone that can go."""
        waiting = [(self.areas[part], part) for part in small]
        heapq.heapify(waiting)
        while waiting:
            area, part = heapq.heappop(waiting)
            if self.leader[part] != part or self.areas[part] != area:
                continue
            whole = self._join(part, least)
            if whole is not None and self.areas[whole] < least:
                heapq.heappush(waiting, (self.areas[whole], whole))
        return np.array([self.classes[self.find(part)] for part in range(len(self.leader))])

    def _join(self, part: int, least: int) -> int | None:
        """Give a part its new class and neighbors; the part it is now one with, None where there is no class to take."""
        shared: dict[int, int] = {}
        neighbors = {self.find(neighbor) for neighbor in self.borders[part]} - {part}
        for neighbor, length in self.borders[part].items():
            leader = self.find(neighbor)
            if leader != part and self.classes[leader] != self.ignore:
                shared[self.classes[leader]] = shared.get(self.classes[leader], 0) + length
        longest = max(shared.values(), default=0)
        if longest == 0:
            return None
        own = min(value for value, length in shared.items() if length == longest)
        members = sorted({part, *(one for one in neighbors if self.classes[one] == own)})
        whole, area = members[0], sum(self.areas[one] for one in members)
        if area < least:
            tables = sorted((self.borders.pop(one) for one in members), key=len, reverse=True)
            for table in tables[1:]:
                for neighbor, length in table.items():
                    tables[0][neighbor] = tables[0].get(neighbor, 0) + length
            self.borders[whole] = tables[0]
        for one in members:
            self.leader[one] = whole
        self.areas[whole], self.classes[whole] = area, own
        return whole

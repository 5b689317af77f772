"""Connected parts, the removal of small ones, and borders, against scipy and brute force."""

import numpy as np
import pytest
from scipy import ndimage

from vidi.ops.components import components, remove_small
from vidi.ops.surfaces import distances, inner_border, surface

CROSS = ndimage.generate_binary_structure(2, 1)
ALL = np.ones((3, 3))


def random_map(rng, size=(14, 17), count=3, smooth=0.7):
    return np.stack([ndimage.gaussian_filter(rng.normal(size=size), smooth) for _ in range(count)]).argmax(0)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_nothing_has_no_parts(size):
    found = components(np.zeros(size, int))
    assert len(found) == 0 and found.labels.shape == size and found.boxes.shape == (0, 4)
    assert remove_small(np.zeros(size, int), 5).shape == size
    assert surface(np.zeros(size, int)).shape == inner_border(np.zeros(size, int)).shape == size


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_parts_equal_scipys(seed, diagonal):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 40, 2))
    values = random_map(rng, size, int(rng.integers(1, 5)), rng.uniform(0.1, 2)) * 7 - 3
    found = components(values, diagonal=diagonal)
    expected = [(c, mask) for c in np.unique(values) for mask in _masks(values, c, diagonal)]
    expected.sort(key=lambda part: part[1].ravel().argmax())
    assert found.classes.tolist() == [c for c, _ in expected]
    assert found.areas.tolist() == [mask.sum() for _, mask in expected]
    for i, (_, mask) in enumerate(expected):
        assert np.array_equal(found.labels == i, mask)
        ys, xs = np.nonzero(mask)
        assert found.boxes[i].tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def _masks(values, c, diagonal):
    labels, count = ndimage.label(values == c, ALL if diagonal else CROSS)
    return [labels == k for k in range(1, count + 1)]


def brute_removal(values, least, ignore, diagonal):
    """One part after another, all parts found anew each time."""
    values, stuck = values.copy(), set()
    while True:
        small = []
        for c in np.unique(values[values != ignore]):
            for mask in _masks(values, c, diagonal):
                first = int(mask.ravel().argmax())
                if mask.sum() < least and (first, mask.sum()) not in stuck:
                    small.append((mask.sum(), first, mask))
        if not small:
            return values
        area, first, mask = min(small, key=lambda part: part[:2])
        border = {}
        for y, x in np.argwhere(mask):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < values.shape[0] and 0 <= u < values.shape[1] and not mask[v, u] and values[v, u] != ignore:
                    border[values[v, u]] = border.get(values[v, u], 0) + 1
        if border:
            values[mask] = min(border, key=lambda c: (-border[c], c))
        else:
            stuck.add((first, area))


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_removal_equals_brute_force(seed, diagonal):
    rng = np.random.default_rng(seed)
    values = random_map(rng, tuple(rng.integers(1, 16, 2)), int(rng.integers(1, 5)), rng.uniform(0.1, 1.2)).astype(np.int32)
    values[rng.random(values.shape) < rng.choice([0, 0.1, 0.5])] = 255
    before = values.copy()
    for least in (0, 1, 2, 5, 20, 1000):
        found = remove_small(values, least, diagonal=diagonal)
        assert np.array_equal(found, brute_removal(values, least, 255, diagonal)) and found.dtype == values.dtype
    assert np.array_equal(values, before) and np.array_equal(remove_small(values, 1, diagonal=diagonal), values)


def test_what_is_removed():
    values = np.zeros((9, 12), np.uint8)
    values[:, 6:] = 1
    values[4, 2] = 2  # a speckle in the left half
    values[4, 6] = 3  # a speckle that borders once on 0, three times on 1
    np.fill_diagonal(values[:, :3], [0, 2, 2])
    cleaned = remove_small(values, 5)
    assert (cleaned[:, :6] == 0).all() and (cleaned[:, 6:] == 1).all()
    line = np.zeros((9, 9), int)
    np.fill_diagonal(line, 1)
    assert np.array_equal(remove_small(line, 9), line) and not remove_small(line, 9, diagonal=False).any()
    alone = np.full((5, 5), 255)
    alone[2, 2] = 1
    assert np.array_equal(remove_small(alone, 10), alone)  # nothing known around it


@pytest.mark.parametrize("smooth", [0.1, 1.0, 4.0])
def test_surfaces_are_what_an_erosion_takes_away(smooth):
    values = random_map(np.random.default_rng(0), (30, 41), 4, smooth)
    for c in range(4):
        mask = values == c
        assert np.array_equal(surface(values) & mask, mask & ~ndimage.binary_erosion(mask))


def test_borders_lie_between_known_classes():
    values = np.array([[0, 0, 1, 1, -1], [0, 0, 1, 1, -1], [-1, -1, -1, -1, -1], [2, 2, 2, 2, 2]])
    assert inner_border(values).astype(int).tolist() == [[0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0] * 5, [0] * 5]


@pytest.mark.parametrize("points, targets", [(0, 3), (1, 1), (7, 300), (300, 7), (4000, 4000)])
def test_distances_are_exact_by_either_way(points, targets):
    rng = np.random.default_rng(points + targets)
    one, two = rng.integers(-20, 100, (points, 2)), rng.integers(0, 140, (targets, 2))
    expected = np.sqrt(((one[:, None] - two[None]) ** 2).sum(2)).min(1) if points else np.zeros(0)
    assert distances(one, two) == pytest.approx(expected)

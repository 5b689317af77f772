"""Boxes, edit distance, runs and nearest sampling against plain rewritings."""

import numpy as np
import pytest

from vidi.ops.boxes import area, clip_boxes, iou_matrix, warp_boxes
from vidi.ops.edit_distance import edit_distance, similarity
from vidi.ops.runs import counts_to_mask, mask_to_counts
from vidi.ops.sampling import warp_nearest


def test_no_boxes():
    none = np.zeros((0, 4))
    assert iou_matrix(none, np.ones((3, 4))).shape == (0, 3) and iou_matrix(np.ones((3, 4)), none).shape == (3, 0)
    assert warp_boxes(none, np.eye(3)).shape == (0, 4) and area(none).shape == (0,) and clip_boxes(none, (2, 2)).shape == (0, 4)


def test_iou_by_counting_pixels():
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.integers(0, 20, (12, 2, 2)), axis=1).reshape(12, 4)
    canvas = np.zeros((12, 20, 20), bool)
    for mask, (x1, y1, x2, y2) in zip(canvas, boxes):
        mask[y1:y2, x1:x2] = True
    flat = canvas.reshape(12, -1).astype(int)
    shared = flat @ flat.T
    union = flat.sum(1)[:, None] + flat.sum(1) - shared
    expected = np.where(union > 0, shared / np.maximum(union, 1), 0)
    np.testing.assert_allclose(iou_matrix(boxes, boxes), expected)
    np.testing.assert_allclose(area(boxes), flat.sum(1))
    assert area(np.array([[3, 3, 1, 5]]))[0] == 0


def test_warp_by_perspective_bounds_every_moved_point():
    rng = np.random.default_rng(1)
    matrix = np.array([[1.1, 0.2, 3], [-0.1, 0.9, 2], [0.004, -0.003, 1]])
    box = np.array([[5.0, 10, 40, 60]])
    moved = warp_boxes(box, matrix)[0]
    points = np.stack([rng.uniform(5, 40, 5000), rng.uniform(10, 60, 5000), np.ones(5000)])
    x, y, w = matrix @ points
    assert (x / w >= moved[0]).all() and (x / w <= moved[2]).all() and (y / w >= moved[1]).all() and (y / w <= moved[3]).all()
    assert (x / w).min() - moved[0] < 1 and moved[3] - (y / w).max() < 1


def test_boxes_at_and_behind_the_horizon():
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [-0.1, 0, 1]])  # the horizon is x = 10
    across, behind = warp_boxes(np.array([[5.0, 1, 15, 2], [11, 1, 15, 2]]), matrix)
    assert across[0] == pytest.approx(10) and across[2] > 1e6 and behind.tolist() == [0, 0, 0, 0]
    assert clip_boxes(across[None], (20, 20))[0].tolist() == pytest.approx([10, 2, 20, 20])


def slow_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


@pytest.mark.parametrize(
    "a, b, expected", [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("é", "e", 1)]
)
def test_known_distances(a, b, expected):
    assert edit_distance(a, b) == expected


def test_distance_equals_the_table_method():
    rng = np.random.default_rng(0)
    for _ in range(300):
        a, b = ("".join(rng.choice(list("abc"), rng.integers(0, 90))) for _ in range(2))
        assert edit_distance(a, b) == slow_distance(a, b) == edit_distance(b, a)
    assert edit_distance(["the", "cat"], ["the", "black", "cat"]) == 1
    assert similarity("", "") == 1 and similarity("ab", "cd") == 0


def test_runs_are_cocos():
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)
    assert mask_to_counts(mask) == [2, 1, 1, 2]
    assert (
        mask_to_counts(np.ones((2, 2), bool)) == [0, 4]
        and mask_to_counts(np.zeros((2, 2), bool)) == [4]
        and mask_to_counts(np.zeros((0, 3))) == []
    )
    rng = np.random.default_rng(0)
    for size in ((1, 1), (3, 5), (7, 2), (0, 4)):
        mask = rng.random(size) < 0.5
        assert np.array_equal(counts_to_mask(mask_to_counts(mask), size), mask)
    with pytest.raises(ValueError, match="sum of 6"):
        counts_to_mask([1, 2], (2, 3))


def test_nearest_sampling_by_hand():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 9, (2, 11, 13))
    for matrix in (
        np.array([[0.813, -0.517, 4.07], [0.411, 0.907, -1.03], [0, 0, 1]]),
        np.array([[1.217, 0.113, 0.01], [0, 1.019, 1.07], [0.023, 0.011, 1]]),
    ):
        moved, back = warp_nearest(picture, matrix, (9, 10), -1), np.linalg.inv(matrix)
        for y in range(9):
            for x in range(10):
                u, v, w = back @ [x + 0.5, y + 0.5, 1]
                column, row = int(np.floor(u / w)), int(np.floor(v / w))
                expected = picture[:, row, column] if w > 0 and 0 <= row < 11 and 0 <= column < 13 else -1
                assert (moved[:, y, x] == expected).all()

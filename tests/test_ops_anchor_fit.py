import numpy as np
import pytest

from vidi.ops.anchor_fit import (
    YOLOV3,
    best_iou,
    deal_out,
    evolve_anchors,
    fit_scores,
    kmeans_anchors,
    shape_iou,
    shape_ratio,
    tiled,
)
from vidi.ops.boxes import iou_matrix

NONE = np.zeros((0, 2))


def clouds(seed=0, count=300):
    generator = np.random.default_rng(seed)
    middles = np.array([[10, 12], [40, 30], [90, 160]])
    return np.concatenate([middle * np.exp(generator.normal(0, 0.05, (count, 2))) for middle in middles]), middles


def test_nothing_has_no_scores():
    assert shape_iou(NONE, [[1, 2]]).shape == (0, 1) and best_iou(NONE, NONE).shape == (0,)
    assert set(fit_scores(NONE, np.ones((2, 2))).values()) == {None} == set(fit_scores(np.ones((2, 2)), NONE).values())
    assert evolve_anchors(NONE, np.ones((2, 2))).tolist() == [[1, 1], [1, 1]]
    assert tiled([], (), (32, 32)).shape == (0, 4)


@pytest.mark.parametrize("shapes,count", [(NONE, 3), (np.ones((3, 2)), 0), (np.array([[1.0, 0.0]]), 1), (np.array([[1.0, np.nan]]), 1), (np.ones(4), 1)])
def test_senseless_arguments_are_refused(shapes, count):
    with pytest.raises(ValueError):
        kmeans_anchors(shapes, count)


def test_overlap_of_shapes_equals_that_of_centered_boxes():
    generator = np.random.default_rng(0)
    a, b = generator.uniform(1, 90, (20, 2)), generator.uniform(1, 90, (7, 2))
    np.testing.assert_allclose(shape_iou(a, b), iou_matrix(np.hstack([-a, a]) / 2, np.hstack([-b, b]) / 2))
    brute = [[min(w / v, v / w, h / g, g / h) for v, g in b] for w, h in a]
    np.testing.assert_allclose(shape_ratio(a, b), brute)


def test_kmeans_finds_planted_shapes_and_repeats():
    shapes, middles = clouds()
    found = kmeans_anchors(shapes, 3, seed=1)
    np.testing.assert_allclose(found, middles, rtol=0.03)
    assert (found == kmeans_anchors(shapes, 3, seed=1)).all()


def test_fewer_shapes_than_anchors():
    found = kmeans_anchors(np.array([[4.0, 8.0], [20.0, 10.0]]), 5)
    assert found.shape == (5, 2) and {tuple(row) for row in found} == {(4, 8), (20, 10)}


def test_mutation_never_loses_and_the_fit_beats_the_defaults():
    shapes = np.exp(np.random.default_rng(3).normal(3.2, 0.7, (800, 2)))
    start = kmeans_anchors(shapes, 6)
    better = evolve_anchors(shapes, start, generations=300)
    assert best_iou(shapes, better).mean() > best_iou(shapes, start).mean() > best_iou(shapes, np.array(YOLOV3)).mean()
    scores = fit_scores(shapes, better)
    assert scores["mean_iou"] == pytest.approx(best_iou(shapes, better).mean()) and scores["ratio_recall"] > scores["recall"] > 0.8
    assert evolve_anchors(shapes, start, generations=0).tolist() == start.tolist()


def test_shapes_are_dealt_out_by_area_and_laid_over_cells():
    levels = deal_out(np.array(YOLOV3)[::-1], 3)
    assert [len(level) for level in levels] == [3, 3, 3] and levels[0][0].tolist() == [10, 13]
    boxes = tiled(levels, (8, 16, 32), (64, 48))
    assert boxes.shape == ((8 * 6 + 4 * 3 + 2 * 2) * 3, 4)
    assert boxes[0].tolist() == [4 - 5, 4 - 6.5, 4 + 5, 4 + 6.5]
    assert boxes[3, 0] + boxes[3, 2] == 24 and boxes[3, 1] + boxes[3, 3] == 8

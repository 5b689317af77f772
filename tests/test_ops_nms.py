"""Non-maximum suppression: nothing in, nothing out; the same as torchvision; the same under ties; soft and none."""

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from vidi.ops.nms import select, suppress


def _boxes(count, seed, side=100.0):
    random = np.random.default_rng(seed)
    low = random.uniform(0, side, (count, 2))
    return np.concatenate([low, low + random.uniform(1, 30, (count, 2))], 1).astype(np.float32)


@pytest.mark.parametrize("method", ["hard", "soft", "none"])
def test_nothing(method):
    for boxes, scores in (((0, 4), (0, 3)), ((5, 4), (5, 0)), ((5, 4), (5, 3))):
        found = select(np.zeros(boxes), np.zeros(scores), conf=0.0, method=method)
        assert [part.shape for part in found] == [(0, 4), (0,), (0,)]
        assert [part.dtype for part in found] == [np.float32, np.float32, np.int64]
    assert len(select(_boxes(5, 0), np.full((5, 1), 0.9), max_det=0, method=method)[0]) == 0
    assert len(select(_boxes(5, 0), np.full((5, 2), np.nan), conf=0.0, method=method)[0]) == 0


@pytest.mark.parametrize("count", [1, 40, 300, 900])
@pytest.mark.parametrize("agnostic", [False, True])
def test_equals_torchvision(count, agnostic):
    for seed in range(4):
        boxes, random = _boxes(count, seed), np.random.default_rng(seed)
        scores = random.permutation(np.linspace(0.1, 0.9, 3 * count)).astype(np.float32).reshape(count, 3)
        found = select(boxes, scores, conf=0.3, iou=0.5, max_det=2000, class_agnostic=agnostic, candidates=10000)
        rows, classes = np.nonzero(scores > 0.3)
        values, groups = torch.from_numpy(scores[rows, classes]), torch.from_numpy(classes * (not agnostic))
        kept = batched_nms(torch.from_numpy(boxes[rows]), values, groups, 0.5).numpy()
        assert np.array_equal(found[0], boxes[rows[kept]])
        assert np.array_equal(found[1], scores[rows, classes][kept]) and np.array_equal(found[2], classes[kept])


def test_limits_keep_the_best():
    boxes, scores = _boxes(500, 1), np.random.default_rng(1).permutation(np.linspace(0, 1, 500))[:, None]
    every = select(boxes, scores, conf=0.0, max_det=500)
    assert np.array_equal(select(boxes, scores, conf=0.0, max_det=9)[0], every[0][:9])
    few = select(boxes, scores, conf=0.0, candidates=50, max_det=500)
    assert np.array_equal(few[0], every[0][: len(few[0])]) and few[1].min() >= np.sort(scores[:, 0])[-50].astype(np.float32)


def test_ties_keep_their_order():
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [50, 0, 59, 9], [50, 0, 59, 9.5]], np.float32)
    found = select(boxes, np.full((4, 2), 0.5), conf=0.1)
    assert found[0][:, 0].tolist() == [0, 0, 50, 50] and found[2].tolist() == [0, 1, 0, 1]
    assert np.array_equal(found[0], boxes[[0, 0, 2, 2]])
    crowded = select(boxes, np.full((4, 2), 0.5), conf=0.1, candidates=3, method="none")
    assert found[1].tolist() == [0.5] * 4 and crowded[2].tolist() == [0, 1, 0]


def test_conf_is_not_reached_by_equality():
    assert len(select(_boxes(3, 0), np.full((3, 1), 1.0), conf=1.0)[0]) == 0


def test_degenerate_boxes_suppress_nothing():
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5], [9, 9, 2, 2]], np.float32)
    assert len(select(boxes, np.full((3, 1), 0.9))[0]) == 3


def test_soft_lowers_scores_as_a_plain_loop_does():
    boxes, random = _boxes(60, 3, side=40), np.random.default_rng(3)
    scores, classes = random.uniform(0.1, 1, 60).astype(np.float32), random.integers(0, 2, 60)
    places, kept = suppress(boxes, scores, classes, method="soft", conf=0.15, sigma=0.4)
    left, values, expected = list(range(60)), scores.astype(float), []
    while True:
        left = [i for i in left if values[i] > 0.15]
        if not left:
            break
        best = max(left, key=lambda i: values[i])
        expected.append((best, values[best]))
        left.remove(best)
        for i in left:
            if classes[i] == classes[best]:
                low, high = np.maximum(boxes[i, :2], boxes[best, :2]), np.minimum(boxes[i, 2:], boxes[best, 2:])
                shared = np.prod(np.maximum(high - low, 0))
                total = sum(np.prod(boxes[j, 2:] - boxes[j, :2]) for j in (i, best)) - shared
                values[i] *= np.exp(-((shared / total) ** 2) / 0.4)
    assert places.tolist() == [i for i, _ in expected]
    assert np.allclose(kept, [value for _, value in expected], atol=1e-6) and (np.diff(kept) <= 0).all()


def test_tensors_and_arrays_agree():
    boxes, scores = _boxes(30, 4), np.random.default_rng(4).uniform(0, 1, (30, 2)).astype(np.float32)
    for a, b in zip(select(boxes, scores), select(torch.from_numpy(boxes), torch.from_numpy(scores))):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    "boxes, scores, method",
    [((3, 4), (2, 1), "hard"), ((3, 5), (3, 1), "hard"), ((3, 4), (3,), "hard"), ((3, 4), (3, 1), "best")],
)
def test_refused(boxes, scores, method):
    with pytest.raises(ValueError, match="expected"):
        select(np.ones(boxes), np.ones(scores), method=method)

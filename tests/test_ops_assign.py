"""Assignment of places to true boxes: nobody wants a place, plain loops agree, pictures do not disturb each other."""

import math

import pytest
import torch

from vidi.ops.assign import center_sampled, task_aligned


def _scene(seed, pictures=3, side=64, most=7, classes=3):
    random = torch.Generator().manual_seed(seed)
    points = []
    for stride in (8, 16):
        steps = (torch.arange(side // stride) + 0.5) * stride
        points += [(x, y, stride) for y in steps.tolist() for x in steps.tolist()]
    points = torch.tensor(points)
    scores = torch.rand(pictures, len(points), classes, generator=random)
    sides = torch.rand(pictures, len(points), 4, generator=random) * 24
    boxes = torch.cat([points[:, :2] - sides[..., :2], points[:, :2] + sides[..., 2:]], 2)
    low = torch.rand(pictures, most, 2, generator=random) * side * 0.8
    truth = torch.cat([low, low + 2 + torch.rand(pictures, most, 2, generator=random) * 30], 2)
    kinds = torch.randint(0, classes, (pictures, most), generator=random)
    valid = torch.arange(most) < torch.tensor([most, 0, most // 2])[:pictures, None]
    return points, scores, boxes, truth, kinds, valid


def _iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _task_aligned(points, scores, boxes, truth, kinds, topk, reach, allowed):
    """One picture, in loops: {place: (box, share, quality)}."""
    wishes = {}
    for m, true in enumerate(truth):
        middle = [(true[0] + true[2]) / 2, (true[1] + true[3]) / 2]
        half = [max(reach, true[2] - true[0]) / 2, max(reach, true[3] - true[1]) / 2]
        wanted = []
        for a, (x, y, _) in enumerate(points):
            if allowed[a] and abs(x - middle[0]) <= half[0] and abs(y - middle[1]) <= half[1]:
                iou = _iou(boxes[a], true)
                wanted.append((-(scores[a][kinds[m]] ** 0.5) * max(iou, 1e-3) ** 6, a, iou))
        for metric, a, iou in sorted(wanted)[:topk]:
            wishes.setdefault(a, []).append((-iou, m, -metric))
    owner = {a: min(entries) for a, entries in wishes.items()}
    result = {}
    for a, (_, m, metric) in owner.items():
        own = [entry for entry in owner.values() if entry[1] == m]
        share = metric / max(entry[2] for entry in own)
        result[a] = (m, share, share * -min(entry[0] for entry in own))
    return result


@pytest.mark.parametrize("topk", [1, 4, 13])
@pytest.mark.parametrize("seed", range(4))
def test_task_aligned_equals_loops(topk, seed):
    points, scores, boxes, truth, kinds, valid = _scene(seed)
    allowed = torch.rand(scores.shape[:2], generator=torch.Generator().manual_seed(seed)) > 0.1
    found = task_aligned(scores, boxes, points[:, :2], truth, kinds, valid, allowed=allowed, topk=topk)
    for i in range(len(scores)):
        count = int(valid[i].sum())
        expected = _task_aligned(
            points.tolist(), scores[i].tolist(), boxes[i].tolist(), truth[i, :count].tolist(), kinds[i].tolist(), topk, 8.0,
            allowed[i].tolist(),
        )  # fmt: skip
        assert (found.index[i] >= 0).nonzero()[:, 0].tolist() == sorted(expected)
        for a, (m, share, quality) in expected.items():
            assert int(found.index[i, a]) == m
            assert float(found.share[i, a]) == pytest.approx(share, rel=1e-3, abs=1e-9)
            assert float(found.quality[i, a]) == pytest.approx(quality, rel=1e-3, abs=1e-9)
    background = found.index < 0
    assert not found.share[background].any() and not found.quality[background].any()


def test_nothing_to_assign():
    points, scores, boxes, truth, kinds, valid = _scene(0)
    for some in (truth[:, :0], truth):
        found = task_aligned(
            scores, boxes, points[:, :2], some, kinds[:, : some.shape[1]], torch.zeros(some.shape[:2], dtype=bool)
        )
        assert (found.index == -1).all() and not found.quality.any()
        ranges = torch.tensor([0.0, math.inf]).expand(len(points), 2)
        assert (center_sampled(points[:, :2], points[:, 2], some, torch.zeros(some.shape[:2], dtype=bool), ranges) == -1).all()


def test_pictures_do_not_disturb_each_other():
    points, scores, boxes, truth, kinds, valid = _scene(5)
    whole = task_aligned(scores, boxes, points[:, :2], truth, kinds, valid)
    for i in range(len(scores)):
        one = slice(i, i + 1)
        count = int(valid[i].sum())
        alone = task_aligned(scores[one], boxes[one], points[:, :2], truth[one, :count], kinds[one, :count], valid[one, :count])
        for name in ("index", "share", "quality"):
            assert torch.equal(getattr(whole, name)[one], getattr(alone, name))


def test_tiny_and_badly_fitted_boxes_still_get_a_place():
    points, scores, boxes, *_ = _scene(1, pictures=1)
    truth = torch.tensor([[[12.2, 12.2, 13.2, 13.2], [40.0, 40.0, 41.0, 41.0], [0.0, 0.0, 64.0, 64.0]]])
    far = boxes * 0 + torch.tensor([200.0, 200.0, 210.0, 210.0])
    found = task_aligned(scores, far, points[:, :2], truth, torch.zeros(1, 3, dtype=int), torch.ones(1, 3, dtype=bool))
    assert set(found.index[0].tolist()) == {-1, 0, 1, 2} and found.share.max() == 1 and not found.quality.any()


def test_ties_go_to_the_lower_index():
    points = torch.tensor([[4.0, 4.0], [12.0, 4.0], [20.0, 4.0]])
    boxes = torch.tensor([[[0.0, 0, 24, 8]]]).expand(1, 3, 4)
    truth = boxes[:, :2]
    found = task_aligned(
        torch.ones(1, 3, 1), boxes, points, truth, torch.zeros(1, 2, dtype=int), torch.ones(1, 2, dtype=bool), topk=2
    )
    assert found.index.tolist() == [[0, 0, -1]]


@pytest.mark.parametrize("seed", range(3))
def test_center_sampling_equals_loops(seed):
    points, _, _, truth, _, valid = _scene(seed, most=9)
    ranges = torch.tensor([[0.0, 12.0] if stride == 8 else [12.0, math.inf] for stride in points[:, 2]])
    found = center_sampled(points[:, :2], points[:, 2], truth, valid, ranges)
    for i in range(len(truth)):
        for a, (x, y, stride) in enumerate(points.tolist()):
            options = []
            for m in range(int(valid[i].sum())):
                x1, y1, x2, y2 = truth[i, m].tolist()
                sides = (x - x1, y - y1, x2 - x, y2 - y)
                near = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < 1.5 * stride
                if near and min(sides) > 0 and ranges[a, 0] <= max(sides) <= ranges[a, 1]:
                    options.append(((x2 - x1) * (y2 - y1), m))
            assert int(found[i, a]) == (min(options)[1] if options else -1)

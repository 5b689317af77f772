"""Anchors, offsets, matching and suppression against brute force and torchvision."""

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models.detection._utils import BoxCoder, Matcher, SSDMatcher

from vidi.errors import RecipeError
from vidi.nets.blocks.anchors import Anchors, check_even, rows_of, shapes_by_ladder, shapes_by_scale, shapes_given
from vidi.ops.anchor_match import IGNORED, NEGATIVE, draw_chances, match_anchors, overlaps
from vidi.ops.box_code import decode_boxes, encode_boxes
from vidi.ops.static_nms import kept_boxes


def boxes_of(count: int, seed: int = 0, side: float = 100.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=random) * side
    return torch.cat([low, low + 1 + torch.rand(count, 2, generator=random) * side / 2], 1)


def none() -> torch.Tensor:
    return torch.zeros(0, 4)


def test_nothing_matches_nothing():
    assert match_anchors(none(), none()).tolist() == []
    assert match_anchors(none(), boxes_of(2), boxes_of(1)).tolist() == []
    for rescue in ("none", "tied", "own"):
        assert match_anchors(boxes_of(3), none(), none(), high=0.7, low=0.3, rescue=rescue).tolist() == [NEGATIVE] * 3
    assert draw_chances(torch.zeros(2, 0, dtype=torch.int64), 64, 0.25).shape == (2, 0)
    assert kept_boxes(torch.zeros(2, 0, 4), 0.5).shape == (2, 0)
    assert encode_boxes(none(), none()).shape == decode_boxes(none(), none()).shape == (0, 4)


def test_overlaps_equal_torchvision():
    a, b = boxes_of(20), boxes_of(30, 1)
    iou, cover = overlaps(a, b)
    assert torch.allclose(iou, torchvision.ops.box_iou(a, b))
    whole = torch.tensor([[-1e3, -1e3, 1e3, 1e3]])
    assert torch.allclose(overlaps(whole, b)[1], torch.ones(1, 30))
    assert torch.equal(overlaps(a, torch.zeros(1, 4))[0], torch.zeros(20, 1))
    assert cover.max() <= 1 + 1e-6


def brute_match(anchors, boxes, high, low, rescue):
    """The rules, one anchor at a time."""
    iou = torchvision.ops.box_iou(boxes, anchors).numpy()
    taken = []
    for i in range(len(anchors)):
        best = int(iou[:, i].argmax())
        if iou[best, i] >= high:
            taken.append(best)
        else:
            taken.append(IGNORED if low is not None and iou[best, i] >= low else NEGATIVE)
    if rescue == "tied":
        for g in range(len(boxes)):
            for i in np.flatnonzero((iou[g] == iou[g].max()) & (iou[g] > 0)):
                taken[i] = int(iou[:, i].argmax())
    if rescue == "own":
        wanted = {}
        for g in range(len(boxes)):
            i = int(iou[g].argmax())
            if iou[g, i] > 0 and (i not in wanted or iou[g, i] > iou[wanted[i], i]):
                wanted[i] = g
        for i, g in wanted.items():
            taken[i] = g
    return taken


@pytest.mark.parametrize("rescue", ["none", "tied", "own"])
@pytest.mark.parametrize("seed", range(5))
def test_matching_equals_brute_force(rescue, seed):
    anchors, boxes = boxes_of(200, seed), boxes_of(7, seed + 50)
    for high, low in ((0.5, None), (0.7, 0.3), (0.5, 0.4)):
        got = match_anchors(anchors, boxes, high=high, low=low, rescue=rescue)
        assert got.tolist() == brute_match(anchors, boxes, high, low, rescue)


def test_matching_equals_torchvision():
    anchors, boxes = boxes_of(300, 3), boxes_of(6, 4)
    iou = torchvision.ops.box_iou(boxes, anchors)
    assert torch.equal(match_anchors(anchors, boxes, high=0.7, low=0.3, rescue="tied"), Matcher(0.7, 0.3, True)(iou))
    assert torch.equal(match_anchors(anchors, boxes, high=0.5, low=0.4), Matcher(0.5, 0.4)(iou))
    assert torch.equal(match_anchors(anchors, boxes, high=0.5, rescue="own"), SSDMatcher(0.5)(iou))


def test_degenerate_truth_takes_nothing():
    anchors = boxes_of(50)
    point = torch.tensor([[10.0, 10.0, 10.0, 10.0]])
    for rescue in ("tied", "own"):
        assert (match_anchors(anchors, point, high=0.7, low=0.3, rescue=rescue) == NEGATIVE).all()


def test_crowd_is_neither_positive_nor_negative():
    anchors = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [6, 0, 16, 10], [40, 40, 50, 50], [2, 2, 8, 8]])
    region, thing = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[2.0, 2, 8, 8]])
    got = match_anchors(anchors, thing, region, high=0.5)
    assert got.tolist() == [IGNORED, IGNORED, NEGATIVE, NEGATIVE, 0]
    assert match_anchors(anchors, none(), region).tolist() == [IGNORED, IGNORED, NEGATIVE, NEGATIVE, IGNORED]


def test_chances_are_those_of_drawing():
    taken = torch.tensor([0] * 10 + [IGNORED] * 5 + [NEGATIVE] * 100)
    chances = draw_chances(taken, 16, 0.25)
    assert chances[:10].tolist() == pytest.approx([0.4] * 10)
    assert chances[10:15].tolist() == [0.0] * 5
    assert chances[15:].tolist() == pytest.approx([0.12] * 100)
    assert chances.sum() == pytest.approx(16)
    few = draw_chances(torch.tensor([0, NEGATIVE, NEGATIVE]), 16, 0.25)
    assert few.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)])
def test_offsets_are_inverted_and_equal_torchvision(weights):
    boxes, anchors = boxes_of(40), boxes_of(40, 1)
    offsets, coder = encode_boxes(boxes, anchors, weights), BoxCoder(weights)
    assert torch.allclose(offsets, coder.encode_single(boxes, anchors), atol=1e-5)
    assert torch.allclose(decode_boxes(offsets, anchors, weights), boxes, atol=1e-3)
    wild = torch.randn(40, 4, generator=torch.Generator().manual_seed(2)) * 30
    assert torch.allclose(decode_boxes(wild, anchors, weights), coder.decode_single(wild, anchors), rtol=1e-4, atol=1e-2)


def test_offsets_of_points_and_of_the_whole_picture_are_finite():
    boxes = torch.tensor([[5.0, 5, 5, 5], [0, 0, 1e4, 1e4], [3, 3, 4, 4]])
    anchors = torch.tensor([[0.0, 0, 16, 16], [0, 0, 1, 1], [7, 7, 7, 7]])
    assert encode_boxes(boxes, anchors).isfinite().all()
    assert decode_boxes(torch.full((3, 4), 1e4), anchors).isfinite().all()


@pytest.mark.parametrize("seed", range(4))
def test_static_suppression_equals_greedy(seed):
    boxes = torch.stack([boxes_of(150, seed * 3 + i) for i in range(3)])
    kept = kept_boxes(boxes, 0.5)
    scores = torch.linspace(1, 0.1, 150)
    for row, one in zip(kept, boxes):
        assert row.nonzero()[:, 0].tolist() == sorted(torchvision.ops.nms(one, scores, 0.5).tolist())


def test_fast_suppression_keeps_no_more():
    boxes = boxes_of(150)[None]
    assert (kept_boxes(boxes, 0.5, steps=1) <= kept_boxes(boxes, 0.5)).all()


def test_anchors_lie_around_the_cells_middles():
    anchors = Anchors([8, 16], [[(8.0, 4.0), (2.0, 2.0)], [(16.0, 16.0)]])
    fine, coarse = anchors([torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 1, 2)])
    assert fine.shape == (12, 4) and coarse.tolist() == [[0, 0, 16, 16], [16, 0, 32, 16]]
    assert fine[:4].tolist() == [[0, 2, 8, 6], [3, 3, 5, 5], [8, 2, 16, 6], [11, 3, 13, 5]]
    level = torch.arange(2 * 4 * 2 * 3).view(1, 8, 2, 3)
    rows = rows_of(level, 4)  # two anchors of four values
    assert rows.shape == (1, 12, 4) and rows[0, 3].tolist() == level[0, 4:, 0, 1].tolist()


def test_shapes():
    assert shapes_by_scale([8], size=2, scales=[1, 2], ratios=[1, 4]) == [[(16, 16), (8, 32), (32, 32), (16, 64)]]
    fine, coarse = shapes_by_ladder([8, 16], size=2, ratios=[2, 3])
    assert len(fine) == 4 and len(coarse) == 6
    areas = [width * height for width, height in coarse]
    assert areas[0] == 32**2 and areas[1] == pytest.approx(32 * 64) and areas[2:] == pytest.approx([32**2] * 4)
    assert shapes_given([[30, 40], [3, 4], [5, 5], [6, 7]], 2) == [[(3, 4), (5, 5)], [(6, 7), (30, 40)]]
    assert shapes_given([30, 40, 3, 4], 2) == shapes_given([[30, 40], [3, 4]], 2)
    assert shapes_given([[[3, 4]], [[5, 5], [1, 1]]], 2) == [[(3, 4)], [(5, 5), (1, 1)]]


@pytest.mark.parametrize("bad", ["x", [], [[1, 2, 3]], [[1, -2]], [[1, 2]] * 3, [[[1, 2]]], [[[1, 2]], []], [["a", 2], [1, 2]], [1, 2], [1, 2, 3], ["a", 2, 3, 4]])
def test_bad_anchors_are_refused(bad):
    with pytest.raises(RecipeError) as caught:
        shapes_given(bad, 2)
    assert caught.value.at == "anchors"


def test_uneven_and_absurd_shapes_are_refused():
    with pytest.raises(RecipeError):
        check_even([[(1, 2)], [(1, 2), (3, 4)]])
    with pytest.raises(RecipeError):
        shapes_by_scale([8], size=0, scales=[1], ratios=[1])
    with pytest.raises(RecipeError):
        shapes_by_ladder([8], size=1, ratios=[])

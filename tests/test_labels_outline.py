"""Outlines: pixels and run lengths as COCO's own program has them, exact areas, warps, and nothing lost in a dict."""

import json

import numpy as np
import pytest

from vidi.labels import Detections, Outline, Polygons, Runs
from vidi.ops.polygons import fill_ring
from vidi.ops.runs import mask_to_counts, pack_counts, unpack_counts

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools

SQUARE = np.array([[2, 1], [6, 1], [6, 4], [2, 4.0]])
BOW_TIE = np.array([[0, 0], [4, 4], [4, 0], [0, 4.0]])
EYE = np.eye(3)


def test_empty_comes_first():
    nothing = Polygons(())
    assert not nothing.mask((3, 4)).any() and nothing.area() == 0 and nothing.box().tolist() == [0, 0, 0, 0]
    assert nothing.warp(EYE, (3, 4)) == nothing and not nothing.crossed() and nothing.mask((0, 5)).shape == (0, 5)
    blank = Outline.of(np.zeros((3, 4), bool))
    assert blank.counts.tolist() == [12] and blank.area() == 0 and blank.box().tolist() == [0, 0, 0, 0]
    assert not blank.mask((3, 4)).any() and Outline.of(np.zeros((0, 0), bool)).mask((0, 0)).shape == (0, 0)
    assert pack_counts([]) == "" and unpack_counts("").tolist() == []


@pytest.mark.parametrize("seed", range(4))
def test_polygons_are_filled_as_coco_fills_them(seed):
    coco = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(seed)
    for _ in range(150):
        height, width = (int(side) for side in random.integers(1, 60, 2))
        points = int(random.integers(3, 12))
        ring = random.uniform(-0.6, 1.6, (points, 2)) * [width, height]
        ring = [ring, np.round(ring), np.round(ring, 1), np.round(ring * 2) / 2][int(random.integers(4))]
        expected = coco.decode(coco.frPyObjects([ring.ravel().tolist()], height, width))[..., 0].astype(bool)
        assert np.array_equal(fill_ring(ring, (height, width)), expected), (height, width, ring.tolist())


def test_rings_are_united_as_coco_unites_them():
    coco = pytest.importorskip("pycocotools.mask")
    rings = (SQUARE, SQUARE + [3, 2], BOW_TIE + [20, 3])
    packed = coco.merge(coco.frPyObjects([ring.ravel().tolist() for ring in rings], 20, 30))
    assert np.array_equal(Polygons(rings).mask((20, 30)), coco.decode(packed).astype(bool))


@pytest.mark.parametrize("seed", range(3))
def test_run_lengths_are_cocos(seed):
    coco = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(seed)
    for _ in range(60):
        size = tuple(int(side) for side in random.integers(1, 80, 2))
        mask = random.random(size) < random.choice([0.02, 0.5, 0.98])
        packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        outline = Outline.of(mask)
        assert pack_counts(outline.counts) == packed["counts"].decode() and np.array_equal(unpack_counts(packed["counts"].decode()), outline.counts)
        assert np.array_equal(outline.mask(size), mask) and outline.area() == mask.sum() == coco.area(packed)
        x, y, w, h = coco.toBbox(packed)
        assert outline.box().tolist() == ([x, y, x + w, y + h] if mask.any() else [0, 0, 0, 0])


def test_far_and_wide_polygons_cost_no_more_than_the_picture():
    ring = np.array([[-1e12, -1e12], [1e12, -1e12], [1e12, 1e12], [-1e12, 1e12]])
    assert fill_ring(ring, (4, 5)).all() and not fill_ring(ring + 4e12, (4, 5)).any()
    assert Polygons((ring,)).warp(EYE, (4, 5)).area() == pytest.approx(20)


def test_even_odd_is_the_rule():
    assert Polygons((BOW_TIE,)).area() == 8 and Polygons((BOW_TIE,)).crossed() and not Polygons((SQUARE,)).crossed()
    twice = np.concatenate([SQUARE, SQUARE])
    assert Polygons((twice,)).area() == 0 and not Polygons((twice,)).mask((8, 8)).any()
    assert Polygons((SQUARE, SQUARE)).area() == 12 and Polygons((SQUARE, SQUARE)).mask((8, 8)).sum() == 12
    assert Polygons((SQUARE, SQUARE + [2, 0])).area() == 18
    hole = np.array([[0, 0], [9, 0], [9, 9], [0, 9], [0, 0], [3, 3], [3, 6], [6, 6], [6, 3], [3, 3.0]])
    assert Polygons((hole,)).area() == 81 - 9


@pytest.mark.parametrize("seed", range(5))
def test_area_agrees_with_a_fine_raster(seed):
    random = np.random.default_rng(seed)
    rings = tuple(random.uniform(0, 40, (int(random.integers(3, 9)), 2)) for _ in range(3))
    fine = sum(Polygons(tuple(ring * 20 for ring in rings)).mask((800, 800)).ravel()) / 400
    assert Polygons(rings).area() == pytest.approx(fine, abs=4)


def test_warps():
    flip = np.array([[-1, 0, 10], [0, 1, 0], [0, 0, 1.0]])
    mask = np.zeros((8, 10), bool)
    mask[1:4, 2:6] = True
    for outline in (Polygons((SQUARE,)), Outline.of(mask)):
        assert outline.warp(EYE, (8, 10)) == outline
        assert outline.warp(flip, (8, 10)).box().tolist() == [4, 1, 8, 4]
        assert np.array_equal(outline.warp(flip, (8, 10)).mask((8, 10)), mask[:, ::-1])
        cut = outline.warp(np.array([[1, 0, -4], [0, 1, 0], [0, 0, 1.0]]), (8, 3))
        assert cut.box().tolist() == [0, 1, 2, 4] and cut.area() == 6
        assert outline.warp(np.array([[1, 0, 99], [0, 1, 0], [0, 0, 1.0]]), (8, 10)).area() == 0
    horizon = np.array([[1, 0, 0], [0, 1, 0], [0.25, 0, -1.0]])  # the line x = 4 goes to infinity
    seen = Polygons((SQUARE,)).warp(horizon, (50, 50))
    assert np.isfinite(seen.box()).all() and seen.area() > 0
    assert Polygons((np.array([[0, 0], [1, 0], [1, 1.0]]),)).warp(horizon, (50, 50)).rings == ()


@pytest.mark.parametrize("outline", [Polygons(()), Polygons((SQUARE, BOW_TIE / 3)), Runs((2, 3), [1, 2, 3]), Runs((2, 3), [0, 6])])
def test_dicts_are_exact(outline):
    again = Outline.from_dict(json.loads(json.dumps(outline.to_dict())))
    assert type(again) is type(outline) and again == outline and outline != Runs((1, 1), [1])


@pytest.mark.parametrize("size, counts", [((2, 3), [1, 2]), ((2, 3), [7]), ((2, 3), [-1, 7]), ((2, 3), [1 << 62, 1 << 62]), ((2, 3), [])])
def test_wrong_run_lengths_are_refused(size, counts):
    with pytest.raises(ValueError, match="run lengths"):
        Runs(size, counts)


def test_wrong_rings_and_sizes_are_refused():
    with pytest.raises(ValueError, match="expected shape"):
        Polygons((np.zeros(4),))
    with pytest.raises(ValueError, match="not finite"):
        Polygons((np.array([[0, 0], [1, np.nan], [2, 2]]),))
    with pytest.raises(ValueError, match="picture of 2×3"):
        Runs((2, 3), [6]).mask((3, 2))


@pytest.mark.parametrize("text", ["\x01", "é", "T", "p" * 3, "oooooooo1", "~"])
def test_broken_strings_are_refused(text):
    with pytest.raises(ValueError, match="compressed"):
        unpack_counts(text)


def test_detections_keep_outlines_with_their_things():
    shape, runs = Polygons((SQUARE,)), Outline.of(np.ones((8, 10), bool))
    found = Detections([[2, 1, 6, 4], [0, 0, 10, 8], [90, 90, 91, 91]], [0.5, 0.9, 0.1], outlines=(shape, runs, None))
    assert found[found.scores > 0.4].outlines == (shape, runs) and found[1].outlines == (runs,)
    joined = Detections.concatenate([found, Detections([[0, 0, 1, 1]])])
    assert joined.outlines == (shape, runs, None, None) and Detections.concatenate([found[:0], Detections.empty()]).outlines == ()
    moved = found.warp(EYE, (8, 10))
    assert moved.outlines == (shape, runs)
    merged = Detections.merge([found, Detections([[2, 1, 6, 4]], [0.9], outlines=(Polygons((SQUARE + 1,)),))])
    assert Polygons((SQUARE + 1,)) in merged.outlines and shape not in merged.outlines
    assert found.reindexed(np.array([3]), 4).outlines == found.outlines
    assert Detections.from_dict(found.to_dict()).outlines == found.outlines
    with pytest.raises(ValueError, match="outlines: expected 3"):
        Detections(found.boxes, outlines=(None,))
    picture = np.zeros((100, 120, 3), np.uint8)
    assert Detections([[20, 10, 60, 40]], outlines=(Polygons((SQUARE[::-1] * 10 + [0, 30],)),)).draw(picture)[60:69].any()
    assert mask_to_counts(np.ones((2, 2))) == [0, 4]

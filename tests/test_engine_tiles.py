"""Tiles: windows, things on inner borders, data sets of tiles."""

import numpy as np
import pytest
import torch
from bright import SPACE, bright_model, found_in, scene

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.engine.tiles import Tiling, cut, infer_tiles, parse_tiling
from vidi.errors import InputError, RecipeError
from vidi.labels import Classification, Detections, Segmentation
from vidi.ops.stitch import blend_weights, stitch_boxes

CPU = torch.device("cpu")


def predicted(pictures, tiling, size=(64, 64), **options):
    model = bright_model(size)
    data = Dataset([Sample(str(i), {"image": picture}) for i, picture in enumerate(pictures)], name="scenes")
    return infer_tiles(model.net, data, model.preprocess, tiling, device=CPU, **options)


def test_nothing_at_all():
    boxes, scores, groups = stitch_boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0, int), np.array([[0, 0, 9, 9]]), (9, 9))
    assert boxes.shape == (0, 4) and scores.shape == (0,) and groups == []
    windows = np.array([[0, 0, 8, 8], [4, 0, 12, 8]])
    assert len(Detections.stitch([Detections.empty()] * 2, windows, (8, 12))) == 0
    assert predicted([], Tiling((64, 64))) == []
    (label,) = predicted([scene((100, 150), [])], Tiling((64, 64)))
    assert len(label) == 0


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 200), (1, 4000), (333, 517)])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.9])
def test_windows_cover_every_pixel_and_stay_inside(size, overlap):
    windows = Tiling((64, 48), overlap).windows(size)
    seen = np.zeros(size, int)
    for x1, y1, x2, y2 in windows:
        assert 0 <= x1 < x2 <= size[1] and 0 <= y1 < y2 <= size[0] and (y2 - y1, x2 - x1) == (min(64, size[0]), min(48, size[1]))
        seen[y1:y2, x1:x2] += 1
    assert seen.min() >= 1
    columns = np.unique(windows[:, 0])
    if len(columns) > 1:
        assert (48 - np.diff(columns)).min() >= int(overlap * 48)


def test_settings_of_tiles():
    assert parse_tiling(None, 0.2, True, (64, 64)) is None and parse_tiling("none", 0.2, True, (64, 64)) is None
    assert parse_tiling("auto", 0.2, True, (64, 96)).size == (64, 96) and parse_tiling("640", 0.2, True, (9, 9)).size == (640, 640)
    assert parse_tiling("480,640", 0.1, False, (9, 9)) == Tiling((480, 640), 0.1, False) == parse_tiling((480, 640), 0.1, False, (9, 9))
    trained = {"tile": [320, 320], "tile_overlap": 0.3}
    assert parse_tiling(None, None, True, (9, 9), trained) == Tiling((320, 320), 0.3) and parse_tiling("none", None, True, (9, 9), trained) is None
    for tile, overlap in (("big", 0.2), ("1,2,3", 0.2), (4, 0.2), (64, 1.0), (64, -0.1)):
        with pytest.raises(RecipeError):
            parse_tiling(tile, overlap, True, (64, 64))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5])
def test_a_thing_on_a_border_appears_once(whole, overlap):
    tiling = Tiling((64, 64), overlap, whole)
    windows = tiling.windows((180, 180))
    x, y = int(windows[0][2]), int(windows[0][3])  # where the first tile ends
    for shift in (-3, 0, 3):
        for thing in ((x - 8, 20, x + 9, 40), (x - 8 + shift, y - 9, x + 8 + shift, y + 7), (x - 1, y + 20, x + 3, y + 30), (4, 4, 170, 172)):
            (label,) = predicted([scene((180, 180), [(*thing, 0)])], tiling)
            (box,) = label.boxes
            if not (whole and thing[2] - thing[0] > 50):  # the whole picture is seen at a third of its size
                assert np.abs(box - thing).max() <= 2, (thing, box)
            assert label.classes.tolist() == [0]


@pytest.mark.parametrize("seed", range(12))
def test_scenes_come_back_as_they_are(seed):
    generator = np.random.default_rng(seed)
    taken, things = np.zeros((400, 500), bool), []
    for _ in range(60):
        w, h = generator.integers(5, 90 if generator.random() < 0.3 else 30, 2)
        x, y = int(generator.integers(8, 492 - w)), int(generator.integers(8, 392 - h))
        if not taken[y - 6 : y + h + 6, x - 6 : x + w + 6].any():
            taken[y : y + h, x : x + w] = True
            things.append((x, y, x + int(w), y + int(h), int(generator.integers(2))))
    (label,) = predicted([scene((400, 500), things)], Tiling((128, 128), [0.0, 0.15, 0.3][seed % 3], whole=False), size=(128, 128), batch=5)
    assert found_in(label) == sorted(tuple(map(float, thing[:4])) + (thing[4],) for thing in things)


def test_tiles_of_many_pictures_share_batches_and_find_what_a_shrunken_picture_hides():
    small = [(37 * k + 5, 23 * k + 9, 37 * k + 8, 23 * k + 12, k % 2) for k in range(8)]
    pictures = [scene((256, 320), small), scene((20, 30), [(2, 3, 9, 9, 1)]), scene((256, 64), [])]
    labels = predicted(pictures, Tiling((64, 64)), batch=7)
    assert found_in(labels[0]) == sorted(tuple(map(float, thing[:4])) + (thing[4],) for thing in small)
    assert len(labels[1]) == 1 and np.abs(labels[1].boxes[0] - [2, 3, 9, 9]).max() < 1.5 and len(labels[2]) == 0
    model = bright_model((64, 64))
    assert len(model(pictures[0])[0]) == 0


def test_one_window_changes_nothing():
    label = Detections(np.array([[1, 1, 9, 9], [1, 1, 9, 8], [0, 0, 4, 4]]), np.array([0.9, 0.8, 0.7]))
    same = Detections.stitch([label], np.array([[0, 0, 10, 10]]), (10, 10))
    assert same.to_dict() == label.to_dict()


def test_a_cut_part_gives_its_score_to_the_whole_and_classes_do_not_mix():
    windows = np.array([[0, 0, 60, 60], [40, 0, 100, 60]])
    left = Detections(np.array([[45, 10, 60, 30]]), np.array([0.95]), np.array([1]))
    right = Detections(np.array([[5, 10, 30, 30], [5, 40, 20, 50]]), np.array([0.6, 0.5]), np.array([1, 0]))
    both = Detections.stitch([left, right], windows, (60, 100))
    assert both.boxes.tolist() == [[45, 10, 70, 30], [45, 40, 60, 50]] and both.scores.tolist() == pytest.approx([0.95, 0.5])
    other = Detections.stitch([left, right[:1].__class__(right.boxes[:1], right.scores[:1], np.array([0]))], windows, (60, 100))
    assert len(other) == 2


def test_a_box_that_is_out_gives_its_score_to_one_box_alone():
    """Of two boxes of one window on the same thing, the lesser keeps its score when the better has taken the other window's."""
    windows = np.array([[0, 0, 60, 60], [40, 0, 100, 60]])
    left = Detections(np.array([[43, 10, 56, 30]]), np.array([0.8]))
    right = Detections(np.array([[3, 10, 16, 30], [3, 12, 16, 33]]), np.array([0.9, 0.1]))
    both = Detections.stitch([left, right], windows, (60, 100))
    assert both.scores.tolist() == pytest.approx([0.9, 0.1])
    weak = Detections.stitch([left, Detections(right.boxes, np.array([0.3, 0.1]))], windows, (60, 100))
    assert weak.scores.tolist() == pytest.approx([0.8])


def test_the_whole_picture_speaks_of_what_no_tile_shows_well():
    windows = np.array([[0, 0, 60, 60], [40, 0, 100, 60], [0, 0, 100, 60]])
    none = Detections.empty()
    seen = np.array([[5, 5, 25, 25], [50, 10, 55, 15], [5, 5, 45, 45], [30, 20, 90, 40]])
    found = Detections.stitch([none, none, Detections(seen, np.array([0.9, 0.8, 0.7, 0.6]))], windows, (60, 100))
    assert found.boxes.tolist() == [[5, 5, 45, 45], [30, 20, 90, 40]]


def test_masks_of_parts_are_joined():
    windows = np.array([[0, 0, 6, 4], [6, 0, 12, 4]])
    first, second = np.zeros((2, 1, 4, 6), bool)
    first[0, 1:3, 3:], second[0, 1:3, :2] = True, True
    joined = Detections.stitch([Detections(np.array([[3, 1, 6, 3]]), masks=first), Detections(np.array([[0, 1, 2, 3]]), masks=second)], windows, (4, 12))
    whole = joined.bitmaps((4, 12))
    assert joined.boxes.tolist() == [[3, 1, 8, 3]] and joined.masks is None and whole[0, 1:3, 3:8].all() and whole.sum() == 10
    alone = Detections.stitch([Detections(np.array([[3, 1, 6, 3]]), masks=first), Detections.empty()], windows, (4, 12))
    assert alone.bitmaps((4, 12)).sum() == 6 and Detections.merge([Detections(np.array([[3, 1, 6, 3]]), masks=first), Detections.empty()]).masks is not None


def test_maps_are_blended_and_a_map_cut_up_is_itself():
    generator = np.random.default_rng(0)
    chances = generator.random((3, 40, 50)).astype(np.float32)
    chances /= chances.sum(0)
    windows = Tiling((16, 16), 0.3).windows((40, 50))
    soft = [Segmentation.from_probabilities(chances[:, y1:y2, x1:x2]) for x1, y1, x2, y2 in windows]
    hard = [Segmentation(label.classes) for label in soft]
    whole = Segmentation.from_probabilities(chances)
    again = Segmentation.stitch(soft, windows, (40, 50))
    np.testing.assert_allclose(again.probabilities, chances, atol=1e-5)
    assert (Segmentation.stitch(hard, windows, (40, 50)).classes == whole.classes).all()
    assert (Segmentation.stitch([Segmentation(np.full((4, 4), 255))], np.array([[0, 0, 4, 4]]), (4, 4)).classes == 255).all()
    assert blend_weights((9, 7)).argmax() == 4 * 7 + 3


def test_a_family_that_is_about_whole_pictures_is_refused():
    with pytest.raises(InputError, match="whole picture") as caught:
        Classification.stitch([], np.zeros((0, 4)), (1, 1))
    assert "imgsz" in caught.value.fix
    data = Dataset([Sample("a", {"image": scene((40, 40), [])}, Classification.one_hot(0, 2))], Space("Classification", ("x", "y")))
    with pytest.raises(InputError, match="whole picture"):
        cut(data, 32)


def test_a_data_set_of_tiles():
    truth = Detections(np.array([[10, 10, 20, 20], [58, 10, 70, 20]]), classes=np.array([0, 1]))
    pictures = [Sample("a.png", {"image": scene((64, 128), [(10, 10, 20, 20, 0), (58, 10, 70, 20, 1)])}, truth, "train", extra={"places": ["x", "y"]}),
                Sample("b.png", {"image": scene((64, 64), [])}, Detections.empty(), "val")]  # fmt: skip
    data = Dataset(pictures, SPACE)
    tiles = cut(data, 64, 0.0)
    assert [tile.id for tile in tiles] == ["a.png@0,0", "a.png@64,0", "b.png@0,0"]
    assert [tile.group for tile in tiles] == ["a.png", "a.png", "b.png"] and [tile.split for tile in tiles] == ["train", "train", "val"]
    assert found_in(tiles[0].label) == [(10, 10, 20, 20, 0), (58, 10, 64, 20, 1)] and found_in(tiles[1].label) == [(0, 10, 6, 20, 1)]
    for tile in tiles:
        assert tile.inputs["image"].shape == (64, 64, 3) and "places" not in tile.extra
        for x1, y1, x2, y2, c in found_in(tile.label):
            assert (tile.inputs["image"][int(y1) : int(y2), int(x1) : int(x2), c] == 250).all()
    assert tiles[0].inputs["image"].base is not None
    assert [tile.id for tile in cut(data, 64, 0.0, empty=0.0)] == ["a.png@0,0", "a.png@64,0"]
    assert [tile.id for tile in cut(data, 64, 0.0, whole=True)][2] == "a.png"
    many = Dataset([Sample(f"{i}", {"image": np.zeros((32, 320, 3), np.uint8)}, Detections.empty()) for i in range(20)], SPACE)
    half = cut(many, 32, 0.0, empty=0.5)
    assert 60 < len(half) < 140 and [s.id for s in half] == [s.id for s in cut(many, 32, 0.0, empty=0.5)] and "left out" in half.notes[-1]


@pytest.mark.parametrize("trained", [{"tile": {"a": 1}}, {"tile": ["a"]}, {"tile": 32, "tile_overlap": "x"}, {"tile": 1.5}])
def test_a_tiling_that_a_model_file_makes_up_is_refused(trained):
    with pytest.raises(RecipeError):
        parse_tiling(None, None, True, (64, 64), trained)

"""Masks and outlines of things stay on their pixels through whatever training does to pictures."""

import time

import numpy as np
import pytest
import torch

from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core.batch import Batch, Frame
from vidi.core.dataset import Dataset, Sample
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.engine.tiles import cut
from vidi.labels import Detections, Outline, Polygons, Runs
from vidi.labels.outline import polygons_of
from vidi.ops.sampling import warp_masks
from vidi.ops.trace import simplified

H, W = 96, 128
SPACE = Space("Detections", ("red", "green", "blue"))
FORMS = ("polygons", "runs", "masks")


def labeled(masks, classes, form):
    boxes = np.array([Outline.of(mask).box() for mask in masks], np.float32).reshape(-1, 4)
    if form == "masks":
        return Detections(boxes, None, classes, np.asarray(masks, bool).reshape(-1, H, W))
    return Detections(boxes, None, classes, outlines=tuple(Outline.of(mask) if form == "runs" else polygons_of(mask) for mask in masks))


def scene(form, count=6, seed=0):
    """Pictures with a thing of each class in its own color, apart from each other: a disc, a hollow disc and a bar."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:H, :W] + 0.5
    images, labels = torch.zeros(count, 3, H, W), []
    for image in images:
        (a, b), slope = rng.uniform(-6, 6, 2), rng.uniform(-0.7, 0.7)
        away = np.hypot(x - 28 - a, y - 30 - b)
        masks = [away < 15, (np.hypot(x - 90 + a, y - 34 - b) < 24) & (np.hypot(x - 90 + a, y - 34 - b) > 9)]
        masks.append((np.abs(y - 78 - slope * (x - 60)) < 7) & (np.abs(x - 60) < 24) & (y > 62))
        for channel, mask in zip(image, masks):
            channel[torch.from_numpy(mask)] = 1
        labels.append(labeled(masks, [0, 1, 2], form))
    return images, labels


def run(entry, images, labels, epoch=0, **options):
    frames = [Frame(str(i), (H, W), np.eye(3)) for i in range(len(images))]
    batch = Batch({"image": images}, list(labels), frames, np.arange(len(images)))
    return Pipeline(parse(entry), (H, W))(batch, Draw.samples(0, epoch, np.arange(len(images))), **options)


def iou(a, b):
    return (a & b).sum() / max(1, (a | b).sum())


def tight(label, reach=3):
    """Boxes fit their masks; slanting polygons that the frame cuts reach a little beyond the pixels that they fill."""
    for box, mask in zip(label.boxes, label.bitmaps((H, W))):
        assert mask.any() and np.abs(box - Outline.of(mask).box()).max() <= reach, (box, Outline.of(mask).box())


# -- what is nothing stays nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["rotate(p=1)", "mosaic(p=1)", "copy_paste(p=1)", "mixup(p=1, alpha=8)", "cutmix(p=1)", "crop"])
def test_nothing_stays_nothing(entry):
    for empty in (Detections.empty(), labeled([], [], "masks"), Detections(np.zeros((0, 4)), outlines=())):
        out = run(entry, torch.rand(4, 3, H, W), [empty] * 4)
        assert all(len(label) == 0 for label in out.labels)
    blank = Detections([[5, 5, 30, 30]], outlines=(Outline.of(np.zeros((H, W), bool)),))
    assert len(blank.cropped(np.eye(3), (H, W))) == len(blank.behind(np.ones((H, W), bool))) == 1
    bare = Detections([[5, 5, 30, 30]], outlines=(None,))
    assert all(label.outlines is None or set(label.outlines) == {None} for label in run(entry, torch.rand(4, 3, H, W), [bare] * 4).labels)


# -- motion -----------------------------------------------------------------------------------------------------------

MOVES = (
    "hflip(p=1)", "vflip(p=1)", "rotate(p=1, degrees=40, fill=zeros)", "shear(p=1, fill=zeros)", "scale(p=1, low=0.6, high=1.6, fill=zeros)",
    "translate(p=1, share=0.3, fill=zeros)", "perspective(p=1, fill=zeros)", "crop(fill=zeros)", "random_resized_crop", "iou_crop(p=1)",
    "zoom_out(p=1, low=1.2, high=2, fill=zeros)", "scale_jitter(low=0.6, high=1.6, fill=zeros)", "hflip, rotate(p=1, fill=zeros), scale(p=1, fill=zeros)",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("entry", MOVES)
def test_masks_follow_their_pixels(entry, form):
    images, labels = scene(form)
    seen = 0
    for epoch in range(2):
        out = run(entry, images, labels, epoch)
        for image, label, frame in zip(out.inputs["image"].numpy(), out.labels, out.frames):
            tight(label)
            whole = labels[0].bitmaps((H, W)).sum((1, 2)) * abs(np.linalg.det(frame.matrix))
            for mask, kind in zip(label.bitmaps((H, W)), label.classes):
                shown = image[kind] > 0.5
                assert shown.sum() < 60 or iou(mask, shown) > 0.85
                seen += 1
            for kind in set(range(3)) - set(label.classes.tolist()):
                assert (image[kind] > 0.5).sum() < 0.4 * whole[kind]
    assert seen > 18


@pytest.mark.parametrize("form", FORMS)
def test_other_sizes(form):
    images, labels = scene(form)
    for size in ((144, 192), (48, 64), (60, 128)):
        out = run("none", images, labels, size=size)
        for image, label in zip(out.inputs["image"].numpy(), out.labels):
            assert min(iou(mask, image[kind] > 0.5) for mask, kind in zip(label.bitmaps(size), label.classes)) > 0.87


@pytest.mark.parametrize("seed", range(40))
def test_run_lengths_move_as_whole_masks_do(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        size, canvas = (tuple(rng.integers(1, 40, 2)) for _ in range(2))
        mask = rng.random(size) < rng.choice([0.02, 0.5, 0.97])
        mask[: rng.integers(0, size[0] + 1)] = False
        matrix = np.eye(3)
        kind = rng.integers(5)
        if kind == 0:
            matrix[0, 0], matrix[1, 1] = rng.uniform(0.3, 3, 2) * rng.choice([-1, 1], 2)
        elif kind == 1:
            matrix[:2, :2] = rng.normal(0, 1, (2, 2))
        elif kind == 2:
            matrix += rng.normal(0, 0.02, (3, 3))
        elif kind == 3:
            matrix[:2, :2] = [[0, -1], [1, 0]]
        matrix[:2, 2] += np.round(rng.uniform(-20, 40, 2)) if kind > 2 else rng.uniform(-20, 40, 2)
        moved = Outline.of(mask).warp(matrix, canvas)
        assert np.array_equal(moved.mask(canvas), warp_masks(mask[None], matrix, canvas)[0])


@pytest.mark.parametrize("degrees", [0, 33, 200])
@pytest.mark.parametrize("zoom", [0.6, 1, 1.7])
def test_moved_polygons_are_moved_masks(degrees, zoom):
    (_, (label, *_)), turn = scene("masks"), np.radians(degrees)
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    matrix[:2, 2] = [64, 48] - matrix[:2, :2] @ [64, 48]
    moved = warp_masks(label.masks, matrix, (H, W))
    for mask, expected in zip(label.masks, moved):
        for outline in (Outline.of(mask), polygons_of(mask), polygons_of(mask, 0.7)):
            assert iou(outline.warp(matrix, (H, W)).mask((H, W)), expected) > 0.92


def test_many_outlines_move_in_little_time():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512]
    outlines = tuple(Outline.of(((x - a) / r) ** 2 + ((y - b) / q) ** 2 < 1) for a, b, r, q in rng.uniform(20, 490, (200, 4)) * [1, 1, 0.08, 0.08])
    label = Detections(np.array([one.box() for one in outlines]), outlines=outlines)
    turn = np.array([[0.9, 0.2, 10], [-0.2, 0.9, 60], [0, 0, 1.0]])
    for move in (label.warp, label.cropped):
        start = time.perf_counter()
        move(turn, (512, 512))
        assert time.perf_counter() - start < 0.8


# -- what is left of a thing ------------------------------------------------------------------------------------------


def test_a_box_is_cut_to_what_is_left_of_its_mask():
    triangle = np.tri(40, dtype=bool)  # the corner below left
    whole = np.zeros((H, W), bool)
    whole[20:60, 30:70] = triangle
    shift = np.array([[1, 0, 0], [0, 1, -40], [0, 0, 1.0]])
    for form in FORMS:
        label = labeled([whole], [0], form).cropped(shift, (H, W))
        assert label.boxes.tolist() == [[30, 0, 70, 20]]
        label = labeled([whole], [0], form).cropped(np.array([[1, 0, -60], [0, 1, 0], [0, 0, 1.0]]), (H, W))
        assert len(label) == 0  # a quarter of the box is left, and an eighth of the mask
    loose = Detections([[10, 10, 100, 90]], outlines=(Outline.of(whole),)).cropped(shift, (H, W))
    assert loose.boxes.tolist() == [[10, 0, 100, 50]]  # a box that never fitted its mask is moved as it is
    crowd = Detections([[30, 20, 70, 60]], crowd=[True], outlines=(Outline.of(whole),)).cropped(np.array([[1, 0, -60], [0, 1, 0], [0, 0, 1.0]]), (H, W))
    assert len(crowd) == 1


@pytest.mark.parametrize("form", FORMS)
def test_what_is_painted_over_leaves_masks_and_boxes(form):
    _, (label, *_) = scene(form, 1)
    covered = np.zeros((H, W), bool)
    covered[:, :34] = covered[70:] = True
    before, after = label.bitmaps((H, W)), label.behind(covered)
    assert after.classes.tolist() == [0, 1, 2]
    for mask, kind in zip(after.bitmaps((H, W)), after.classes):
        assert np.array_equal(mask, before[kind] & ~covered)
    tight(after, 0)
    assert after.outlines is None or after.outlines[1] is label.outlines[1]  # the one that is not touched keeps its form
    assert len(label.behind(np.ones((H, W), bool))) == 0 and len(label.behind(~before[1])) == 1
    other = Detections([[5, 5, 30, 30]], outlines=(Runs((4, 5), [20]),))  # run lengths of another picture say nothing of this one
    assert len(other.behind(covered)) == 0


# -- mixing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("entry", ["mosaic(p=1, fill=zeros)", "cutmix(p=1)", "copy_paste(p=1)", "mosaic(p=1, fill=zeros), copy_paste(p=1, count=5)"])
def test_mixed_pictures_show_what_their_masks_say(entry, form):
    images, labels = scene(form)
    shown, marked, both, seen = 0, 0, 0, 0
    for epoch in range(3):
        out = run(entry, images, labels, epoch)
        for image, label in zip(out.inputs["image"].numpy(), out.labels):
            tight(label)
            masks = label.bitmaps((H, W))
            for kind in range(3):
                truth = masks[label.classes == kind].any(0)
                there = (image[kind] > 0.5) & (image.sum(0) < 1.5)
                shown, marked, both = shown + there.sum(), marked + truth.sum(), both + (there & truth).sum()
            assert (masks.sum(0) > 1).mean() < 0.01  # no pixel belongs to two things but along edges
            seen += len(label)
    assert both / marked > 0.95 and both / shown > 0.9 and seen > 60


@pytest.mark.parametrize("form", FORMS)
def test_blended_things_keep_their_outlines(form):
    images, labels = scene(form)
    out = run("mixup(p=1, alpha=8)", images, labels)
    masks = [label.bitmaps((H, W)) for label in labels]
    for label in out.labels:
        assert len(label) in (3, 6)
        for mask, kind in zip(label.bitmaps((H, W)), label.classes):
            assert any(np.array_equal(mask, one[kind]) for one in masks)


def test_things_are_pasted_along_their_outline():
    """A ring is pasted without what lies in it."""
    y, x = np.mgrid[:H, :W] + 0.5
    away = np.hypot(x - 40, y - 40)
    ring = (away < 30) & (away > 20)
    for form in FORMS:
        images = torch.zeros(2, 3, H, W)
        images[0, 0], images[0, 2] = torch.from_numpy(ring).float(), torch.from_numpy(~ring).float()
        out = run("copy_paste(p=1, count=1, low=0.7, high=1.3)", images, [labeled([ring], [0], form), Detections.empty()])
        image, label = out.inputs["image"][1].numpy(), out.labels[1]
        assert len(label) == 1 and iou(label.bitmaps((H, W))[0], image[0] > 0.5) > 0.93 and (image[2] > 0.6).sum() < 30


# -- tiles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_tiles_are_cut_and_stitched_with_their_masks(form):
    images, labels = scene(form, 3)
    pictures = [np.ascontiguousarray(image.permute(1, 2, 0).mul(255).byte().numpy()) for image in images]
    data = Dataset([Sample(str(i), {"image": picture}, label) for i, (picture, label) in enumerate(zip(pictures, labels))], SPACE)
    tiles = cut(data, 64, 0.4)
    for tile in tiles.samples:
        shape = tile.inputs["image"].shape[:2]
        for mask, kind in zip(tile.label.bitmaps(shape), tile.label.classes):
            assert np.array_equal(mask, tile.inputs["image"][..., kind] > 127)
    for picture, label in zip(data.samples, labels):
        own = [tile for tile in tiles.samples if tile.extra["of"] == picture.id]
        whole = Detections.stitch([tile.label for tile in own], np.array([tile.extra["tile"] for tile in own]), (H, W))
        before = label.bitmaps((H, W))
        for mask, kind in zip(whole.bitmaps((H, W)), whole.classes):
            assert iou(mask, before[kind]) > 0.7
        assert sorted(whole.classes.tolist()) == [0, 1, 2]


def test_parts_of_a_thing_become_one_outline():
    windows = np.array([[0, 0, 8, 4], [4, 0, 12, 4]])
    part = np.zeros((4, 8), bool)
    part[1:3, 3:] = True
    other = np.zeros((4, 8), bool)
    other[1:3, :5] = True
    for one, two in ((Outline.of(part), Outline.of(other)), (polygons_of(part), polygons_of(other)), (Outline.of(part), polygons_of(other))):
        left, right = Detections([[3, 1, 8, 3]], outlines=(one,)), Detections([[0, 1, 5, 3]], outlines=(two,))
        whole = Detections.stitch([left, right], windows, (4, 12))
        assert whole.boxes.tolist() == [[3, 1, 9, 3]] and whole.outlines[0].mask((4, 12)).sum() == 12
    bare = Detections.stitch([left, Detections(right.boxes)], windows, (4, 12))
    assert bare.outlines == (None,)


# -- polygons out of masks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_polygons_give_the_mask_back(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        size = tuple(rng.integers(1, 30, 2))
        mask = rng.random(size) < rng.choice([0.02, 0.4, 0.6, 0.95, 1.0])
        around = polygons_of(mask)
        assert np.array_equal(around.mask(size), mask) and around.area() == pytest.approx(mask.sum())
        assert isinstance(around, Polygons) and all(len(ring) >= 4 for ring in around.rings)
        assert Polygons(tuple(np.round(ring, 6) for ring in around.rings)).mask(size).sum() == mask.sum()
    assert polygons_of(np.zeros((3, 4))).rings == () == polygons_of(np.zeros((0, 4))).rings


def test_holes_are_left_out_and_corners_part():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:5] = mask[6, 6] = False
    around = polygons_of(mask)
    assert len(around.rings) == 1 and around.area() == 49 - 5 and np.array_equal(around.mask((9, 9)), mask)
    assert len(polygons_of(np.eye(3)).rings) == 3  # pixels that share only a corner are parts of their own
    assert polygons_of(np.ones((2, 3))).rings[0].tolist() == [[0, 0], [3, 0], [3, 2], [0, 2]]


def test_simplified_polygons_stay_close():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:H, :W] + 0.5
    exact, few, overlaps = 0, 0, []
    for _ in range(60):
        (a, b), (r, q), turn = rng.uniform(0, 1, 2) * [W, H], rng.uniform(8, 40, 2), rng.uniform(0, np.pi)
        u, v = (x - a) * np.cos(turn) + (y - b) * np.sin(turn), (y - b) * np.cos(turn) - (x - a) * np.sin(turn)
        angle = np.arctan2(v / q, u / r)
        mask = np.hypot(u / r, v / q) < 1 + 0.2 * np.sin(3 * angle)
        if mask.sum() < 100:
            continue
        assert iou(polygons_of(mask).mask((H, W)), mask) == 1
        exact += sum(map(len, polygons_of(mask).rings))
        simple = polygons_of(mask, 0.5)
        few += sum(map(len, simple.rings))
        overlaps.append(iou(simple.mask((H, W)), mask))
    assert few < 0.8 * exact and np.mean(overlaps) > 0.98 and min(overlaps) > 0.95
    line = np.array([[0, 0], [1, 0], [2, 0.1], [4, 0], [4, 4], [0, 4.0]])
    assert simplified(line, 0.2).tolist() == [[0, 0], [4, 0], [4, 4], [0, 4]] and len(simplified(line, 99)) == 3

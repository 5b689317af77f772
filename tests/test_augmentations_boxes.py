"""Boxes, masks and outlines follow what training does to pictures."""

import numpy as np
import pytest
import torch

from vidi.augmentations._pipeline import Pipeline, parse
from vidi.augmentations._sizes import size_at
from vidi.core.batch import Batch, Frame
from vidi.core.dataset import Dataset, Sample
from vidi.core.seeds import Draw
from vidi.core.space import Space
from vidi.data.samplers import balanced, class_presence, repeat_factor
from vidi.errors import RecipeError
from vidi.labels import Classification, Detections, Regression, Segmentation
from vidi.ops.boxes import iou_matrix

H, W = 64, 96
STILL = np.eye(3)


def shift(x, y):
    matrix = np.eye(3)
    matrix[:2, 2] = x, y
    return matrix


def scene(count=8, masks=False):
    images, labels = torch.zeros(count, 3, H, W), []
    for i in range(count):
        x, y = 10 + 4 * i, 8 + 2 * i
        images[i, :, y : y + 20, x : x + 30] = 1
        mask = (images[i, 0] > 0).numpy()[None]
        labels.append(Detections([[x, y, x + 30, y + 20]], None, [i % 3], mask if masks else None))
    return images, labels


def run(entry, images, labels, epoch=0, **options):
    frames = [Frame(str(i), (H, W), np.eye(3)) for i in range(len(images))]
    batch = Batch({"image": images}, list(labels), frames, np.arange(len(images)))
    return Pipeline(parse(entry), (H, W))(batch, Draw.samples(0, epoch, np.arange(len(images))), **options)


# -- what is left of a thing ------------------------------------------------------------------------------------------


def test_nothing_stays_nothing():
    empty = Detections.empty()
    assert len(empty.cropped(STILL, (8, 8))) == len(empty.behind(np.ones((8, 8), bool))) == 0
    assert len(empty.overlay(empty, 0.5)) == len(empty.pasted(empty, np.ones((8, 8), bool))) == 0


@pytest.mark.parametrize("x,kept", [(0, True), (-7.9, True), (-8.1, False), (-20, False), (9.9 + 80, True)])
def test_slivers_are_left_out(x, kept):
    label = Detections([[0, 20, 10, 40]]).cropped(shift(x, 0), (64, 100))
    assert len(label) == kept


def test_a_thing_of_hardly_a_pixel_is_left_out_but_a_crowd_stays():
    boxes = [[10, 10, 11.5, 30], [10, 10, 12.5, 30], [0, 0, 100, 5]]
    label = Detections(boxes, None, [0, 1, 2], None, [7, 8, 9], ("a", "b", "c"), [False, False, True]).cropped(shift(0, -4.5), (64, 100))
    assert label.classes.tolist() == [1, 2] and label.tracks.tolist() == [8, 9] and label.texts == ("b", "c")
    np.testing.assert_allclose(label.boxes[1], [0, 0, 100, 0.5])


def test_covered_boxes_are_cut_or_left_out():
    covered = np.zeros((40, 40), bool)
    covered[:, 20:] = True
    label = Detections([[10, 0, 30, 10], [18, 0, 38, 10], [0, 0, 15, 10], [19, 0, 39, 10]]).behind(covered)
    assert label.boxes.tolist() == [[10, 0, 20, 10], [0, 0, 15, 10]]
    hole = np.zeros((40, 40), bool)
    hole[12:18, 12:18] = True
    assert Detections([[10, 10, 20, 20]]).behind(hole).boxes.tolist() == [[10, 10, 20, 20]]


def test_covered_masks_are_cut_and_boxes_follow():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, 5:15, 5:15] = True
    covered = np.zeros((20, 20), bool)
    covered[:10] = True
    label = Detections([[5, 5, 15, 15]], masks=mask).behind(covered)
    assert label.boxes.tolist() == [[5, 10, 15, 15]] and label.masks.sum() == 50
    assert len(Detections([[5, 5, 15, 15]], masks=mask).behind(~covered | (np.arange(20) < 13)[:, None])) == 0


def test_blended_things_count_from_a_share_of_three_tenths():
    a, b = Detections([[0, 0, 5, 5]], None, [1]), Detections([[1, 1, 6, 6], [0, 0, 3, 3]], None, [2, 0])
    assert a.overlay(b, 0.5).classes.tolist() == [1, 2, 0]
    assert a.overlay(b, 0.8).classes.tolist() == [1] and a.overlay(b, 0.2).classes.tolist() == [2, 0]
    masked = Detections([[0, 0, 5, 5]], masks=np.ones((1, 8, 8), bool))
    assert masked.overlay(Detections.empty(), 0.5).masks is not None


def test_pasting_into_classes_and_maps():
    covered = np.zeros((4, 4), bool)
    covered[:, :1] = True
    merged = Classification.one_hot(0, 2).pasted(Classification.one_hot(1, 2), covered)
    np.testing.assert_allclose(merged.probabilities, [0.75, 0.25])
    pasted = Segmentation(np.zeros((4, 4))).pasted(Segmentation(np.full((4, 4), 9), ignore=9), covered)
    assert (pasted.classes == np.where(covered, 255, 0)).all()


# -- mixing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["mosaic(p=1)", "copy_paste(p=1)", "cutmix(p=1)", "mixup(p=1, alpha=8)"])
def test_masks_and_boxes_stay_together(entry):
    images, labels = scene(masks=True)
    for epoch in range(3):
        out = run(entry, images, labels, epoch)
        for label in out.labels:
            for box, mask in zip(label.boxes, label.masks):
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                around = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
                assert np.abs(box - around).max() <= 2
        assert sum(len(label) for label in out.labels) > 8


def test_mosaic_shows_four_samples_with_their_classes():
    images = torch.stack([torch.full((3, H, W), i / 8 + 0.05) for i in range(8)])
    labels = [Detections([[0, 0, W, H]], None, [i]) for i in range(8)]
    out = run("mosaic(p=1, low=1, high=1, margin=0.47)", images, labels)
    for i, (image, label) in enumerate(zip(out.inputs["image"], out.labels)):
        assert len(label) == 4 and len(set(label.classes.tolist())) == 4 and i in label.classes
        for box, kind in zip(label.boxes, label.classes):
            x0, y0, x1, y1 = box.round().astype(int)
            assert (image[0, y0:y1, x0:x1] - (kind / 8 + 0.05)).abs().max() < 1e-5
        assert sum((label.boxes[:, 2:] - label.boxes[:, :2]).prod(1)) == H * W


def test_mosaic_is_for_things_only_and_can_be_closed():
    images, labels = scene()
    with pytest.raises(RecipeError, match="Detections only"):
        run("mosaic(p=1)", images, [Classification.one_hot(0, 2)] * 8)
    with pytest.raises(RecipeError, match="iou_crop"):
        run("iou_crop", images, [Regression([1.0])] * 8)
    closed = run("mosaic(p=1), mixup(p=1), copy_paste(p=1)", images, labels, mixes=False)
    assert closed.inputs["image"] is images and [len(label) for label in closed.labels] == [1] * 8


def test_pasted_things_show_and_hide():
    images, labels = scene()
    images = images * torch.linspace(0.3, 1, 8)[:, None, None, None]
    out = run("copy_paste(p=1, count=4, low=1, high=1)", images, labels)
    assert all(len(label) >= 2 for label in out.labels)
    for image, label in zip(out.inputs["image"], out.labels):
        for box in label.boxes:
            x0, y0, x1, y1 = box.round().astype(int)
            assert image[0, y0 + 2 : y1 - 2, x0 + 2 : x1 - 2].median() > 0.25
    assert torch.equal(run("copy_paste(p=0)", images, labels).inputs["image"], images)


def test_rare_things_are_preferred():
    images = torch.rand(16, 3, H, W)
    boxes = [[10 * k, 10, 10 * k + 8, 20] for k in range(9)]
    labels = [Detections(boxes, None, [0] * 8 + [1]) for _ in range(16)]

    def share(entry):
        found = [label for epoch in range(8) for label in run(entry, images, labels, epoch).labels]
        return np.concatenate([label.classes[label.boxes[:, 1] != 10] for label in found]).mean()

    entry = "copy_paste(p=1, count=1, low=1, high=1, rare={})"
    assert share(entry.format(0)) < 0.25 and share(entry.format("1, counts=[8, 1]")) > 0.35
    assert share(entry.format(2)) > 0.75


def test_crowds_are_not_pasted():
    images, _ = scene()
    labels = [Detections([[1, 1, 60, 60]], crowd=[True]) for _ in range(8)]
    assert torch.equal(run("copy_paste(p=1)", images, labels).inputs["image"], images)


# -- windows ----------------------------------------------------------------------------------------------------------


def test_iou_crop_keeps_its_word():
    images, labels = scene(16)
    labels = [label.warp(STILL, (H, W)) for label in labels]
    for least in (0.3, 0.5):
        cut = 0
        for epoch in range(4):
            out = run(f"iou_crop(p=1, high=0.5, ious=[{least}])", images, labels, epoch)
            for frame, before, after in zip(out.frames, labels, out.labels):
                window = before.warp(frame.matrix, (H, W)).boxes
                home = (np.array([[0, 0, W, H]]) - np.tile(frame.matrix[:2, 2], 2)) / np.tile(np.diag(frame.matrix)[:2], 2)
                whole = np.allclose(frame.matrix, np.eye(3), atol=1e-5)
                cut += not whole
                assert whole or iou_matrix(home, before.boxes).max() >= least - 1e-4
                assert len(after) == len(window) == 1
        assert cut > 4


def test_iou_crop_sees_boxes_where_earlier_moves_brought_them():
    images, labels = scene()
    out = run("hflip(p=1), brightness(p=1), iou_crop(p=1, ious=[0.3])", images, labels)
    assert all(len(label) == 1 for label in out.labels)


def test_zoom_out_shrinks_onto_gray_and_mirrors_nothing():
    images, labels = torch.ones(8, 3, H, W), [Detections([[0, 0, W, H]])] * 8
    out = run("zoom_out(p=1, low=2, high=4), scale(low=0.9, high=0.95)", images, labels)
    for label in out.labels:
        x0, y0, x1, y1 = label.boxes[0]
        assert x1 - x0 < W / 2 and y1 - y0 < H / 2
    out = run("zoom_out(p=1, low=2, high=4), hflip", images, labels)
    gray = (out.inputs["image"] - 114 / 255).abs() < 1e-4
    for spots, label in zip(gray, out.labels):
        x0, y0, x1, y1 = label.boxes[0]
        assert spots[0].float().mean() == pytest.approx(1 - (x1 - x0) * (y1 - y0) / (H * W), abs=0.06)


def test_fills_that_differ_are_both_kept():
    images, labels = torch.ones(4, 3, H, W), [None] * 4
    out = run("zoom_out(p=1, low=3, high=3, fill=0.0), translate(share=0.1, fill=0.5)", images, labels).inputs["image"]
    values = set(out.mul(2).round().unique().tolist())
    assert values == {0.0, 1.0, 2.0}


def test_scale_jitter_reaches_every_corner():
    images, labels = torch.rand(200, 3, 8, 8), [None] * 200
    frames = [Frame(str(i), (8, 8), np.eye(3)) for i in range(200)]
    batch = Batch({"image": images}, labels, frames, np.arange(200))
    out = Pipeline(parse("scale_jitter(low=0.5, high=2)"), (8, 8))(batch, Draw.samples(0, 0, np.arange(200)))
    corners = np.stack([frame.home(Detections([[0, 0, 8, 8]])).boxes[0] for frame in out.frames])
    assert corners[:, 0].max() > 3 and corners[:, 2].min() < 5 and (corners[:, :2] < 0.01).all(1).any()


def test_several_sizes_are_a_function_of_the_step():
    assert size_at(7, 0, (320, 320), 0) == (320, 320)
    sizes = [size_at(step, 3, (320, 320), 0.5) for step in range(400)]
    assert sizes == [size_at(step, 3, (320, 320), 0.5) for step in range(400)]
    assert all(len(set(sizes[i : i + 10])) == 1 for i in range(0, 400, 10))
    assert {side for size in sizes for side in size} == set(range(160, 481, 32))
    assert sizes != [size_at(step, 4, (320, 320), 0.5) for step in range(400)]
    assert all(tall % 32 == wide % 32 == 0 and 0.5 < tall / wide < 1 for tall, wide in (size_at(s, 0, (256, 320), 0.3) for s in range(99)))


def test_a_pipeline_gives_other_sizes_on_request():
    images, labels = scene()
    out = run("hflip, mosaic(p=1)", images, labels, size=(128, 192))
    assert out.inputs["image"].shape == (8, 3, 128, 192)
    plain = run("none", images, labels, size=(32, 48))
    np.testing.assert_allclose(plain.labels[0].boxes, labels[0].boxes / 2)


# -- orders -----------------------------------------------------------------------------------------------------------


def test_presence_and_orders_for_things():
    space = Space("Detections", ("a", "b", "c"))
    labels = [None, Detections.empty(), Detections([[0, 0, 2, 2]] * 2, None, [2, 0]), *[Detections([[0, 0, 2, 2]], None, [0])] * 17]
    data = Dataset([Sample(str(i), {}, label) for i, label in enumerate(labels)], space)
    table = class_presence(data)
    assert table.shape == (20, 3) and table[:3].tolist() == [[False] * 3, [False] * 3, [True, False, True]]
    assert class_presence(Dataset([], space)).shape == (0, 3)
    assert (balanced(table, "equal") == 2).sum() > 5
    lengths = {len(repeat_factor(table, 0.5, 0, epoch, even=True)) for epoch in range(20)}
    turns = np.mean([(repeat_factor(table, 0.5, 0, epoch, even=True) == 2).sum() for epoch in range(200)])
    assert len(lengths) == 1 and turns == pytest.approx(10**0.5, rel=0.05)
    several = Dataset([Sample("x", {}, Classification([0.9, np.nan, 0.6]))], Space("Classification", ("a", "b", "c"), False))
    assert class_presence(several).tolist() == [[True, False, True]]
    maps = Dataset([Sample("x", {}, Segmentation([[0, 255], [2, 2]]))], Space("Segmentation", ("a", "b", "c")))
    assert class_presence(maps).tolist() == [[True, False, True]]


def test_things_cut_by_the_frame_are_not_pasted():
    images, _ = scene()
    for box in ([0, 5, 20, 20], [50, 30, W, 50], [5, 5, 30, H]):
        assert torch.equal(run("copy_paste(p=1)", images, [Detections([box])] * 8).inputs["image"], images)

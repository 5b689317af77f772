"""Crops around a drawn class hold it, and rare classes are drawn as often as said."""

import numpy as np
import pytest
import torch

from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core.batch import Batch, Frame
from vidi.core.seeds import Draw
from vidi.errors import RecipeError
from vidi.labels import Detections, Segmentation

H, W = 64, 96


def run(entry, images, labels, epoch=0, target=(H, W)):
    frames = [Frame(str(i), (H, W), np.eye(3)) for i in range(len(images))]
    batch = Batch({"image": images}, list(labels), frames, np.arange(len(images)))
    return Pipeline(parse(entry), target)(batch, Draw.samples(0, epoch, np.arange(len(images))))


def scene(count):
    """Ground of class 0 with one 4×4 spot of class 2 and a strip of unknown truth; red where the spot is."""
    random = np.random.default_rng(0)
    images, labels = torch.zeros(count, 3, H, W), []
    for image in images:
        classes = np.zeros((H, W), np.int32)
        y, x = random.integers(0, H - 4), random.integers(0, W - 4)
        classes[:, :3] = 255
        classes[y : y + 4, x : x + 4] = 2
        image[0, y : y + 4, x : x + 4] = 1
        labels.append(Segmentation(classes))
    return images, labels


@pytest.mark.parametrize("label", [None, Segmentation(np.full((H, W), 255)), Detections.empty()])
def test_nothing_to_hold_gives_any_part(label):
    out = run("class_crop", torch.rand(4, 3, H, W), [label] * 4)
    assert out.inputs["image"].shape == (4, 3, H, W)
    matrices = np.stack([frame.matrix for frame in out.frames])
    assert (matrices[:, 0, 0] >= 1).all() and (matrices[:, 0, 0] <= 2).all()


@pytest.mark.parametrize("rarity, least, most", [(2, 0.95, 1), (1, 0.45, 0.75), (0, 0.05, 0.3)])
def test_rare_classes_are_shown_as_often_as_said(rarity, least, most):
    images, labels = scene(200)
    out = run(f"class_crop(rarity={rarity}, low=0.3, high=0.3)", images, labels)
    shown = [bool((label.classes == 2).any()) for label in out.labels]
    assert least <= np.mean(shown) <= most


def test_picture_and_truth_move_together_and_keep_their_shape():
    images, labels = scene(20)
    out = run("class_crop(low=0.4, high=0.8)", images, labels, target=(48, 48))
    assert out.inputs["image"].shape == (20, 3, 48, 48)
    for image, label, frame in zip(out.inputs["image"], out.labels, out.frames):
        assert frame.matrix[0, 0] == pytest.approx(frame.matrix[1, 1])
        corners = np.linalg.inv(frame.matrix) @ np.array([[0, 48, 0], [0, 48, 0], [1, 1, 1]], float)
        assert (corners[:2] >= -1e-3).all() and (corners[:2].T <= np.array([W, H]) + 1e-3).all()
        red, spot = image[0].numpy() > 0.5, label.classes == 2
        assert (red != spot).sum() <= 0.35 * spot.sum() + 12


def test_things_are_held():
    box = np.array([[80, 50, 84, 54], [0, 0, 40, 40], [10, 0, 50, 40], [0, 10, 40, 50]], np.float32)
    label = Detections(box, classes=[1, 0, 0, 0], crowd=[False, False, False, False])
    out = run("class_crop(rarity=2, low=0.3, high=0.3)", torch.zeros(60, 3, H, W), [label] * 60)
    assert np.mean([1 in one.classes for one in out.labels]) > 0.6
    crowd = Detections(box, classes=[1, 0, 0, 0], crowd=[True, False, False, False])
    fewer = run("class_crop(rarity=2, low=0.3, high=0.3)", torch.zeros(60, 3, H, W), [crowd] * 60)
    assert np.mean([1 in one.classes for one in fewer.labels]) < 0.4


def test_settings_out_of_range_are_refused():
    with pytest.raises(RecipeError, match="rarity"):
        parse("class_crop(rarity=3)")

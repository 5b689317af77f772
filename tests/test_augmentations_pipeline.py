"""Reading recipe entries, and composing augmentations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vidi.augmentations._parse import find
from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core.batch import Batch, Frame
from vidi.core.seeds import Draw
from vidi.errors import ChoiceError, RecipeError
from vidi.labels import Classification, Detections
from vidi.testing.augment import augment_examples


def batch_of(images, labels=None):
    frames = [Frame(str(i), (48, 64), np.diag([images.shape[-1] / 64, images.shape[-2] / 48, 1])) for i in range(len(images))]
    return Batch({"image": images}, labels or [None] * len(images), frames, np.arange(len(images)))


def draw_for(count, epoch=0):
    return Draw.samples(0, epoch, np.arange(count))


def test_entries_are_read():
    assert parse(None) == parse("none") == parse([]) == parse("") == []
    flip, turn, window = parse("hflip, rotate( degrees = 30 , p=0.5, fill=border), crop(pad=4)")
    assert (flip.p, turn.degrees, turn.p, turn.fill, window.pad) == (0.5, 30.0, 0.5, "border", 4.0)
    assert parse(["rotate(fill=0.5)"])[0].fill == 0.5
    assert parse("augmix(moves=false)")[0].moves is False
    assert parse("shot_noise(low=1e2)")[0].low == 100


@pytest.mark.parametrize(
    "entry,words",
    [
        ("rotate(degree=30)", ["augment: rotate.degree", "degrees"]),
        ("rotate(30)", ["key=value", "degrees"]),
        ("rotate(degrees=many)", ["rotate.degrees", "many", "float"]),
        ("rotate(degrees=True)", ["rotate.degrees", "float"]),
        ("rotate(degrees=nan)", ["rotate.degrees"]),
        ("rotate(degrees=400)", ["Rotate.degrees", "0..180"]),
        ("rotate(p=2)", ["Rotate.p", "0..1"]),
        ("rotate(fill=mirror)", ["rotate.fill", "reflect"]),
        ("rotate(degrees=3, degrees=4)", ["twice"]),
        ("jpeg(low=3.5)", ["jpeg.low", "int"]),
        ("jpeg(low=90, high=50)", ["low is above high"]),
        ("augmix(moves=2)", ["augmix.moves", "bool"]),
        ("rotate(degrees=30", ["not an augmentation"]),
    ],
)
def test_bad_entries_are_refused(entry, words):
    with pytest.raises(RecipeError) as caught:
        parse([entry])
    for word in words:
        assert word in str(caught.value)


def test_unknown_names_get_the_nearest():
    with pytest.raises(ChoiceError, match="hflip|no 'hflop'") as caught:
        parse("hflop")
    assert "hflip" in str(caught.value)


def test_a_file_must_define_one_augmentation(tmp_path):
    path = tmp_path / "two.py"
    path.write_text("from vidi.core.augmentation import Augmentation\nclass A(Augmentation): pass\nclass B(Augmentation): pass\n")
    with pytest.raises(RecipeError, match="exactly one"):
        find(str(path))


def test_empty_pipeline_only_fits_the_canvas():
    images = augment_examples(3, (30, 40))
    batch = batch_of(images, [Detections([[10, 10, 20, 20]]), None, Classification([1.0, 0.0])])
    out = Pipeline([], (15, 20))(batch, draw_for(3))
    torch.testing.assert_close(out.inputs["image"], F.interpolate(images, size=(15, 20), mode="bilinear", antialias=True))
    np.testing.assert_allclose(out.frames[0].matrix, np.diag([20 / 64, 15 / 48, 1]), rtol=1e-6)
    np.testing.assert_allclose(out.labels[0].boxes, [[5, 5, 10, 10]], atol=1e-5)
    assert out.labels[1] is None
    still = Pipeline([], (30, 40))(batch, draw_for(3))
    assert still.inputs["image"] is images and still.frames == batch.frames


def test_neighbors_resample_once(monkeypatch):
    import vidi.augmentations._pipeline as home

    calls, real = [], home.warp
    monkeypatch.setattr(home, "warp", lambda *args, **kwargs: calls.append(1) or real(*args, **kwargs))
    pipeline = Pipeline(parse("hflip, rotate, crop(pad=2), elastic, perspective(p=1), brightness"), (24, 32))
    pipeline(batch_of(augment_examples(4, (28, 36))), draw_for(4))
    assert len(calls) == 1
    calls.clear()
    pipeline = Pipeline(parse("brightness, rotate, contrast, crop(pad=2)"), (24, 32))
    out = pipeline(batch_of(augment_examples(4, (28, 36))), draw_for(4))
    assert len(calls) == 2 and out.inputs["image"].shape == (4, 3, 24, 32)


def test_composed_moves_equal_their_product():
    images = augment_examples(4)
    pipeline = Pipeline(parse("rotate, translate, shear"), (24, 32))
    _, matrices = pipeline.apply(images, draw_for(4))
    total = torch.eye(3, dtype=torch.float64)
    for augmentation in pipeline.augmentations:
        stream = draw_for(4).child(f"{type(augmentation).__name__}.0")
        total = augmentation.matrix(stream, (24, 32)).double() @ total
    torch.testing.assert_close(matrices, total)


def test_frames_bring_labels_home():
    images = augment_examples(6, (48, 64))
    box = np.array([[20, 15, 40, 30]], np.float32)
    pipeline = Pipeline(parse("hflip, scale(low=0.9, high=1.1)"), (48, 64))
    out = pipeline(batch_of(images, [Detections(box) for _ in range(6)]), draw_for(6))
    for frame, label in zip(out.frames, out.labels):
        np.testing.assert_allclose(frame.home(label).boxes, box, atol=1e-2)


def test_repeated_entries_draw_anew_and_order_of_the_batch_does_not_matter():
    images = augment_examples(8)
    pipeline = Pipeline(parse("gaussian_noise(p=1), gaussian_noise(p=1), rotate(p=0.5), blur"), (24, 32))
    draw, order = draw_for(8), torch.tensor([5, 2, 7, 0, 1, 6, 3, 4])
    straight, _ = pipeline.apply(images, draw)
    shuffled, _ = pipeline.apply(images[order], draw[order])
    torch.testing.assert_close(shuffled, straight[order], atol=1e-5, rtol=0)
    once, _ = Pipeline(parse("gaussian_noise(p=1)"), (24, 32)).apply(images, draw)
    twice, _ = Pipeline(parse("gaussian_noise(p=1), gaussian_noise(p=1)"), (24, 32)).apply(images, draw)
    assert not torch.allclose(twice - once, once - images, atol=1e-3)


def test_epochs_differ():
    images = augment_examples(8)
    pipeline = Pipeline(parse("rotate, brightness"), (24, 32))
    assert not torch.equal(pipeline.apply(images, draw_for(8, 0))[0], pipeline.apply(images, draw_for(8, 1))[0])


def test_description_parses_back():
    pipeline = Pipeline(parse("hflip, crop(pad=4), random_resized_crop(low=0.2), cutmix"), (24, 32))
    assert pipeline.description[0] == "hflip(p=0.5)"
    assert parse(pipeline.description) == list(pipeline.augmentations)
    assert pipeline.mixes and not Pipeline([], (2, 2)).mixes


def test_half_precision_stays():
    images = augment_examples(4).bfloat16()
    entries = "rotate(degrees=10), brightness, gaussian_noise(p=1), blur(p=1), erasing(p=1), mixup(alpha=1), occlude(p=1)"
    out = Pipeline(parse(entries), (24, 32))(batch_of(images), draw_for(4))
    assert out.inputs["image"].dtype == torch.bfloat16 and torch.isfinite(out.inputs["image"].float()).all()

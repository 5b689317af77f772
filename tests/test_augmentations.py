"""Every augmentation passes the public kit; some are checked for what they are."""

import numpy as np
import pytest
import torch

from vidi.augmentations._mixing import beta_shares, partners
from vidi.augmentations._pipeline import Pipeline, parse
from vidi.core.batch import Batch, Frame
from vidi.core.discovery import names
from vidi.core.seeds import Draw
from vidi.labels import Classification, Detections
from vidi.testing.augment import augment_examples, check_augment

INVERT = '''
"""Negative pictures, moved to the right."""

from dataclasses import dataclass

from vidi.core.augmentation import Augmentation, setting, translation


@dataclass(frozen=True)
class Invert(Augmentation):
    """Args: share: how much of the negative shows, 0..1."""

    share: float = setting(0.8, 0, 1)

    def matrix(self, draw, size):
        return translation(draw.uniform(0, 5).round(), draw.uniform(0, 0))

    def pixels(self, images, draw):
        return images.lerp(1 - images, self.share)
'''


def batch_of(images, labels=None):
    frames = [Frame(str(i), tuple(images.shape[-2:]), np.eye(3)) for i in range(len(images))]
    return Batch({"image": images}, labels or [None] * len(images), frames, np.arange(len(images)))


def run(entries, images, size=None, labels=None, epoch=0, seed=0):
    draw = Draw.samples(seed, epoch, np.arange(len(images)))
    return Pipeline(parse(entries), size or tuple(images.shape[-2:]))(batch_of(images, labels), draw)


@pytest.mark.parametrize("name", names("augmentations"))
def test_kit(name):
    check_augment(name)


def test_augmentation_from_outside(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(INVERT)
    check_augment(str(path))
    check_augment(f"{path}(share=0.5, p=0.9)")


@pytest.mark.parametrize(
    "body,promise",
    [
        ("def pixels(self, images, draw):\n        return images.add_(0.1).clamp_(0, 1)", "must not be changed"),
        ("def pixels(self, images, draw):\n        return images + 3", "values lie in 0..1"),
        ("def pixels(self, images, draw):\n        return images", "something changes"),
        ("def pixels(self, images, draw):\n        return (images - images.mean()).abs()", "alone equals"),
        ("def pixels(self, images, draw):\n        import torch\n        return torch.rand_like(images)", "same keys"),
    ],
)
def test_kit_finds_broken_promises(tmp_path, body, promise):
    path = tmp_path / f"bad_{abs(hash(body))}.py"
    path.write_text(f"from vidi.core.augmentation import Augmentation\n\n\nclass Bad(Augmentation):\n    {body}\n")
    with pytest.raises(AssertionError, match=promise):
        check_augment(str(path))


def test_hflip_mirrors_half_of_the_samples_exactly():
    images = augment_examples(200, (4, 5))
    out = run("hflip", images).inputs["image"]
    mirrored = (out == images.flip(3)).all(-1).all(-1).all(-1)
    assert 70 < mirrored.sum() < 130
    assert torch.equal(out[~mirrored], images[~mirrored])


def test_alternating_flip_shows_both_sides_in_two_epochs():
    images = augment_examples(64)
    first, second, third = (run("alternating_flip", images, epoch=epoch).inputs["image"] for epoch in (4, 5, 6))
    assert torch.equal(first, third)
    assert torch.equal(first, second.flip(3))
    assert 16 < (first != images).flatten(1).any(1).sum() < 48


def test_crop_is_a_window_of_the_padded_picture():
    images = augment_examples(32, (8, 8))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    windows = padded.unfold(2, 8, 1).unfold(3, 8, 1).permute(0, 2, 3, 1, 4, 5).reshape(32, 25, 3, 8, 8)
    for entry in ("crop(pad=2)", "crop(pad=0.25)"):
        out = run(entry, images).inputs["image"]
        assert (windows == out[:, None]).flatten(2).all(2).any(1).all()
    larger = run("crop(pad=0)", images, size=(6, 5)).inputs["image"]
    windows = images.unfold(2, 6, 1).unfold(3, 5, 1).permute(0, 2, 3, 1, 4, 5).reshape(32, 12, 3, 6, 5)
    assert (windows == larger[:, None]).flatten(2).all(2).any(1).all()


def test_cutout_and_erasing_cover_what_they_say():
    images = augment_examples(64, (32, 32)) * 0.8
    out = run("cutout(size=8, fill=1.0)", images).inputs["image"]
    holes = (out == 1).all(1).flatten(1).sum(1)
    assert holes.max() == 64 and holes.min() >= 16
    out = run("erasing(p=1, low=0.1, high=0.2, fill=1.0)", images).inputs["image"]
    share = (out == 1).all(1).flatten(1).float().mean(1)
    assert 0.07 < share.min() and share.max() < 0.24


@pytest.mark.parametrize("entry", ["mixup(alpha=1)", "cutmix(p=1)"])
def test_mixed_labels_match_mixed_pixels(entry):
    images = torch.eye(8)[:, :, None, None].expand(8, 8, 16, 16)[:, :3] * 1.0
    labels = [Classification.one_hot(i, 8) for i in range(8)]
    out = run(entry, images, labels=labels)
    for image, label in zip(out.inputs["image"], out.labels):
        np.testing.assert_allclose(image.mean((1, 2)), label.probabilities[:3], atol=1e-5)
    assert any(0.05 < label.probabilities.max() < 0.95 for label in out.labels)


def test_occlude_shows_another_sample_and_keeps_the_label():
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 32, 32) * 1.0
    labels = [Classification.one_hot(i, 2) for i in range(2)]
    out = run("occlude(p=1, share=0.3, count=1)", images, labels=labels)
    covered = (out.inputs["image"] - images).abs().mean((1, 2, 3))
    assert (covered > 0.02).all() and (covered < 0.4).all()
    assert [label.top for label in out.labels] == [0, 1]


def test_partners_are_others_and_each_is_used_once():
    for count in (2, 3, 50):
        other = partners(Draw.samples(0, 0, np.arange(count)))
        assert sorted(other.tolist()) == list(range(count)) and (other != torch.arange(count)).all()
    assert partners(Draw.samples(0, 0, np.arange(1))).tolist() == [0]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_the_beta_law(alpha):
    shares = beta_shares(Draw.samples(0, 0, np.arange(4000)), alpha)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_policies_move_labels_with_pixels():
    boxes = [Detections([[10, 8, 20, 16]]) for _ in range(32)]
    out = run("trivial_augment", augment_examples(32), labels=boxes)
    moved = [not np.allclose(frame.matrix, np.eye(3)) for frame in out.frames]
    assert 4 < sum(moved) < 20
    for label, shifted in zip(out.labels, moved):
        assert shifted or np.allclose(label.boxes, [[10, 8, 20, 16]])


def test_augmix_without_moves_keeps_places():
    images = torch.zeros(16, 3, 24, 32)
    images[..., :16] = 0.8
    out = run("augmix(moves=false)", images).inputs["image"]
    assert (out - out[..., :1, :]).abs().max() < 1e-5
    assert not torch.equal(out, images)

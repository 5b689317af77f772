"""Near duplicates: found when planted, not found among pictures that are merely alike."""

import io

import numpy as np
import pytest
from PIL import Image

from vidi.core.dataset import Dataset, Sample
from vidi.data import _near
from vidi.data.doctor import examine

SIDE = 64


def scene(seed):
    """A distinct colored picture of blobs, bars and noise, (SIDE, SIDE, 3) uint8."""
    random = np.random.default_rng(seed)
    cells = random.integers(3, 8)
    rough = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = np.asarray(rough).astype(np.float32)
    top, left, high, wide = random.integers(0, 40, 2).tolist() + random.integers(8, 24, 2).tolist()
    pixels[top : top + high, left : left + wide] = random.integers(0, 256, 3)
    return np.clip(pixels + random.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)


def encoded(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(pixels, factor):
    size = [round(side * factor) for side in pixels.shape[1::-1]]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


COPIES = {
    "exact": lambda pixels, i: pixels.copy(),
    "encoded": lambda pixels, i: encoded(pixels, (90, 75, 60, 50, 40)[i]),
    "flipped": lambda pixels, i: np.ascontiguousarray(pixels[:, ::-1]) if i % 2 else encoded(pixels[:, ::-1].copy(), 80),
    "resized": lambda pixels, i: resized(pixels, (0.5, 0.75, 1.25, 1.5, 2.0)[i]),
}


def dataset_of(parts):
    return Dataset([Sample(f"{split}/{i}", {"image": image}, split=split) for split, images in parts.items() for i, image in enumerate(images)])


def planted(original):
    """Pairs (train id, val id) of copies planted in train, and the data."""
    train, val = original[:800], original[800:]
    pairs = set()
    for kind, make in enumerate(COPIES.values()):
        for i in range(5):
            source = kind * 5 + i
            pairs.add((f"train/{len(train)}", f"val/{source}"))
            train = [*train, make(val[source], i)]
    return pairs, dataset_of({"train": train, "val": val})


def leaking(found):
    return {(finding.sample, other) for finding in found.findings if finding.rule == "leaks" for other in finding.related}


def test_planted_copies_are_found_among_a_thousand():
    pairs, dataset = planted([scene(seed) for seed in range(1000)])
    found = examine(dataset)
    named = leaking(found)
    assert len(pairs & named) >= 19
    others = (named - pairs) | {finding.sample for finding in found.findings if finding.rule == "near_duplicates"}
    assert len(others) < 10
    assert all(finding.action == "drop" for finding in found.findings if finding.rule == "leaks")


def test_planted_copies_of_real_digits():
    digits = pytest.importorskip("sklearn.datasets").load_digits().images
    pairs, dataset = planted([(image * 255 / 16).astype(np.uint8) for image in digits[:1000]])
    found = examine(dataset)
    named = leaking(found)
    kinds = {name: {pair for pair in pairs if 5 * k <= int(pair[1][4:]) < 5 * k + 5} for k, name in enumerate(COPIES)}
    assert kinds["exact"] <= named and len(kinds["flipped"] & named) >= 4
    assert len(named - pairs) + sum(finding.rule == "near_duplicates" for finding in found.findings) <= 2


def test_digits_are_alike_and_yet_no_copies():
    digits = pytest.importorskip("sklearn.datasets").load_digits().images
    found = examine(dataset_of({"": [(image * 255 / 16).astype(np.uint8) for image in digits]}))
    assert found.counts.get("near_duplicates", 0) <= 5 and found.counts.get("exact_duplicates", 0) == 0


def test_gradients_and_flat_pictures_are_no_copies():
    ramp = np.linspace(0, 1, SIDE)
    random = np.random.default_rng(0)
    gradients = [np.clip(base + gain * (ramp[None] * np.cos(turn) + ramp[:, None] * np.sin(turn)), 0, 255).astype(np.uint8)
                 for base, gain, turn in zip(random.uniform(0, 120, 60), random.uniform(30, 130, 60), random.uniform(0, 1.5, 60))]  # fmt: skip
    flat = [np.full((SIDE, SIDE), level, np.uint8) for level in range(20, 60)]
    found = examine(dataset_of({"": gradients + flat}))
    assert found.counts.get("near_duplicates", 0) <= 6
    assert not any(finding.sample for finding in found.findings if finding.rule == "near_duplicates" and int(finding.sample[1:]) >= 60)


def test_same_shape_of_another_color_is_no_copy():
    red, blue = np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE, 3), np.uint8)
    red[10:50, 20:40, 0], blue[10:50, 20:40, 2] = 255, 255
    assert "near_duplicates" not in examine(dataset_of({"": [red, blue]})).counts


def test_a_still_film_gives_few_pairs_each():
    still, random = scene(0)[..., 0].astype(float), np.random.default_rng(0)
    frames = [np.clip(still + random.normal(0, 2, still.shape), 0, 255).astype(np.uint8) for _ in range(700)]
    looks = examine(dataset_of({"train": frames[:600], "val": frames[600:]})).looks
    assert 699 <= len(set(looks.near.second.tolist())) + 1
    assert np.bincount(looks.near.second).max() <= 2 * 2 * _near.PARTNERS
    assert len(looks.near) <= 700 * 4 * _near.PARTNERS


def test_search_by_hash_finds_copies_too(monkeypatch):
    monkeypatch.setattr(_near, "EXHAUSTIVE", 10)
    pairs, dataset = planted([scene(seed) for seed in range(850)])
    found = examine(dataset)
    assert len(pairs & leaking(found)) >= 17
    assert any("hash" in finding.message for finding in found.findings if finding.rule == "partial_look")


@pytest.mark.slow
def test_sixty_thousand_small_pictures_in_a_minute():
    import time

    random = np.random.default_rng(0)
    rough = random.integers(0, 256, (60_000, 7, 7), dtype=np.uint8)
    pictures = rough.repeat(4, axis=1).repeat(4, axis=2)
    start = time.monotonic()
    found = examine(dataset_of({"train": list(pictures)}))
    assert time.monotonic() - start < 60 and found.counts.get("near_duplicates", 0) < 60

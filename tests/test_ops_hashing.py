"""Small versions, perceptual hashes, and the two ways to propose pairs."""

import numpy as np
import pytest
from PIL import Image

from vidi.ops import hashing


def pictures(count, side=16, seed=0):
    """Smooth random gray pictures, (count, side, side) uint8."""
    rough = np.random.default_rng(seed).integers(0, 256, (count, 5, 5), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in rough])


def brute_pairs(first, second, close):
    return {(i, j) for i in range(len(first)) for j in range(i + 1, len(first)) if close(first[i], second[j])}


def collected(blocks):
    return {(int(i), int(j)) for first, second in blocks for i, j in zip(first, second)}


def test_luma_equals_pillow():
    pixels = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    assert np.array_equal(hashing.luma(pixels), np.asarray(Image.fromarray(pixels).convert("L")))


@pytest.mark.parametrize(("source", "target"), [(1, 16), (8, 16), (16, 16), (28, 16), (37, 16), (640, 16), (20000, 16), (16, 1)])
def test_area_weights_average(source, target):
    weights = hashing.area_weights(source, target)
    assert weights.shape == (target, source)
    assert np.allclose(weights.sum(1), 1, atol=1e-4) and (weights >= 0).all()


def test_shrink_is_the_mean_of_blocks():
    gray = pictures(3, 32).astype(np.float32)
    assert np.allclose(hashing.shrink(gray, (8, 8)), gray.reshape(3, 8, 4, 8, 4).mean((2, 4)), atol=1e-3)
    assert hashing.shrink(np.zeros((0, 5, 7)), (4, 4)).shape == (0, 4, 4)


def test_phash_survives_encoding_and_tells_pictures_apart():
    import io

    originals = pictures(60, 64)
    hashes = hashing.phash(hashing.shrink(originals, (16, 16)))
    copies = []
    for one in originals:
        buffer = io.BytesIO()
        Image.fromarray(one).resize((48, 48)).save(buffer, "JPEG", quality=75)
        copies.append(np.asarray(Image.open(buffer)))
    again = hashing.phash(hashing.shrink(np.stack(copies), (16, 16)))
    assert np.median(hashing.hamming(hashes, again)) <= 6
    assert np.median(hashing.hamming(hashes[:, None], hashes[None])[~np.eye(60, dtype=bool)]) > 20


@pytest.mark.parametrize("side", [8, 16, 32])
def test_mirrored_is_the_hash_of_the_flipped_picture(side):
    gray = np.random.default_rng(1).normal(size=(200, side, side)).astype(np.float32)
    assert np.array_equal(hashing.mirrored(hashing.phash(gray)), hashing.phash(gray[:, :, ::-1]))
    assert hashing.phash(gray[:0]).shape == (0,)


def test_standardized():
    rows = hashing.standardized(pictures(5))
    assert rows.shape == (5, 256) and np.allclose(rows.mean(1), 0, atol=1e-5) and np.allclose(rows.std(1), 1, atol=1e-5)
    assert np.array_equal(hashing.standardized(np.full((2, 4, 4), 9, np.uint8)), np.zeros((2, 16)))
    assert hashing.standardized(np.zeros((0, 4, 4))).shape == (0, 16)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 700])
def test_correlated_pairs_against_brute_force(count, workers):
    gray = pictures(count, 8) if count else np.zeros((0, 8, 8), np.uint8)
    if count == 700:
        gray[650:] = gray[:50]
    rows = hashing.standardized(gray)
    flipped = hashing.standardized(gray[:, :, ::-1])
    for second in (rows, flipped):
        expected = {(i, j) for i, j in zip(*np.nonzero(rows @ second.T / 64 >= 0.9)) if i < j}
        assert collected(hashing.correlated_pairs(rows, second, 0.9, workers=workers)) == expected
    if count == 700:
        assert {(i, i + 650) for i in range(50)} <= collected(hashing.correlated_pairs(rows, rows, 0.9))


def test_banded_pairs_find_all_within_three_bits_and_nothing_beyond_the_radius():
    random = np.random.default_rng(2)
    hashes = random.integers(0, 2**63, 400, dtype=np.uint64)
    for row in range(200, 400):
        bits = random.choice(63, random.integers(0, 9), replace=False)
        hashes[row] = hashes[row - 200] ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64)) if len(bits) else hashes[row - 200]
    found = collected(hashing.banded_pairs(hashes, hashes, 6))
    assert brute_pairs(hashes, hashes, lambda a, b: int(a ^ b).bit_count() <= 3) <= found
    assert found <= brute_pairs(hashes, hashes, lambda a, b: int(a ^ b).bit_count() <= 6)
    assert collected(hashing.banded_pairs(hashes[:0], hashes[:0], 6)) == set()


def test_ordered_map_keeps_the_order_and_passes_errors_on():
    assert list(hashing.ordered_map(lambda x: x * x, range(50), workers=4)) == [x * x for x in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(hashing.ordered_map(lambda x: 1 // x, [1, 0, 2], workers=2))

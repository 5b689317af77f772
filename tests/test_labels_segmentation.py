"""Segmentation: warping, agreement and merging of class maps."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from vidi.labels import Segmentation


def test_empty_map():
    empty = Segmentation(np.zeros((0, 0)))
    assert empty.agreement(empty) == 1 and empty.from_dict(empty.to_dict()).classes.shape == (0, 0)
    assert Segmentation.merge([empty, empty]).classes.shape == (0, 0)
    unknown = Segmentation(np.full((2, 3), 255))
    assert unknown.agreement(Segmentation(np.zeros((2, 3)))) == 1
    assert (empty.warp(np.eye(3), (2, 2)).classes == 255).all()


def test_agreement_equals_sklearns_jaccard():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (20, 30)), rng.integers(0, 5, (20, 30))
    b[:4] = a[:4]
    a[10:] = np.where(rng.random((10, 30)) < 0.3, 255, a[10:])
    known = a != 255
    expected = jaccard_score(a[known], b[known], average="macro")
    assert Segmentation(a).agreement(Segmentation(b)) == pytest.approx(expected)


def test_agreement_and_merge_refuse_other_sizes():
    small, large = Segmentation(np.zeros((2, 2))), Segmentation(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="expected"):
        small.agreement(large)
    with pytest.raises(ValueError, match="one size"):
        Segmentation.merge([small, large])


def test_warp_flips_rotates_and_marks_the_outside_unknown():
    classes = np.arange(12).reshape(3, 4)
    flipped = Segmentation(classes).warp(np.array([[-1, 0, 4], [0, 1, 0], [0, 0, 1.0]]), (3, 4))
    assert np.array_equal(flipped.classes, classes[:, ::-1])
    turned = Segmentation(classes).warp(np.array([[0, -1, 3], [1, 0, 0], [0, 0, 1.0]]), (4, 3))
    assert np.array_equal(turned.classes, np.rot90(classes, -1))
    moved = Segmentation(classes).warp(np.array([[1, 0, 2], [0, 1, 0], [0, 0, 1.0]]), (3, 4))
    assert (moved.classes[:, :2] == 255).all() and np.array_equal(moved.classes[:, 2:], classes[:, :2])
    doubled = Segmentation(classes).warp(np.diag([2.0, 2, 1]), (6, 8))
    assert np.array_equal(doubled.classes, classes.repeat(2, 0).repeat(2, 1))


def test_merge_of_probabilities_ignores_those_who_do_not_know():
    sure = np.zeros((2, 1, 3), np.float32)
    sure[0] = [[0.9, 0.2, 0.0]]
    sure[1] = [[0.1, 0.8, 0.0]]
    other = np.zeros((2, 1, 3), np.float32)
    other[1, 0, 0] = 1.0
    merged = Segmentation.merge([Segmentation.from_probabilities(sure), Segmentation.from_probabilities(other)])
    assert merged.classes.tolist() == [[1, 1, 255]]
    np.testing.assert_allclose(merged.probabilities[:, 0, 0], [0.45, 0.55])
    np.testing.assert_allclose(merged.probabilities[:, 0, 1], [0.2, 0.8])


def test_merge_votes_without_probabilities():
    maps = [Segmentation([[0, 1, 255, 255]]), Segmentation([[0, 2, 3, 255]]), Segmentation([[5, 2, 255, 255]])]
    assert Segmentation.merge(maps).classes.tolist() == [[0, 2, 3, 255]]
    assert Segmentation.merge(maps, [5, 1, 1]).classes.tolist() == [[0, 1, 3, 255]]


def test_dict_is_short_and_exact():
    label = Segmentation.from_probabilities(np.random.default_rng(0).random((3, 8, 9)))
    again = Segmentation.from_dict(label.to_dict())
    assert np.array_equal(again.probabilities, label.probabilities) and again.classes.dtype == np.int32
    assert len(Segmentation(np.zeros((500, 500))).to_dict()["values"]) == 1


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="classes"):
        Segmentation(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="probabilities"):
        Segmentation(np.zeros((2, 2)), np.zeros((3, 2, 3)))
    with pytest.raises(ValueError, match="picture"):
        Segmentation(np.zeros((2, 2))).draw(np.zeros((3, 3, 3), np.uint8))


def test_packed_and_plain_maps_say_the_same():
    plain = Segmentation(np.arange(12).reshape(3, 4) % 5)
    packed = plain.packed()
    assert packed.state() == plain.state() and np.array_equal(packed.classes, plain.classes) and packed.to_dict() == plain.to_dict()
    assert plain.state() != Segmentation(plain.classes, ignore=4).state() != Segmentation(plain.classes.reshape(4, 3), ignore=4).state()
    chances = Segmentation.from_probabilities(np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1))
    assert chances.compact().probabilities is None and np.array_equal(chances.compact().classes, chances.classes)

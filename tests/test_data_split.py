"""Splits: asked shares, even classes, whole groups, nothing changed that the data says."""

import numpy as np
import pytest

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data.split import assign
from vidi.errors import DataError
from vidi.labels import Classification, Regression, Text

RNG = np.random.default_rng(3)


def classes(tops, splits=None, groups=None, count=None):
    count = count or max((top for top in tops if top is not None), default=0) + 1
    labels = [None if top is None else Classification.one_hot(top, count) for top in tops]
    return data(labels, Space("Classification", tuple(f"c{i}" for i in range(count))), splits, groups)


def data(labels, space, splits=None, groups=None):
    samples = [
        Sample(str(i), {}, label, splits[i] if splits is not None else None, groups[i] if groups is not None else None)
        for i, label in enumerate(labels)
    ]
    return Dataset(samples, space)


def places(dataset):
    return np.array([sample.split for sample in dataset])


def said(dataset):
    return " | ".join(dataset.notes)


@pytest.mark.parametrize("tops", [[], [0], [0, 1], [0, 0], [0, 1, 2, 3]])
def test_tiny_data(tops):
    done = assign(classes(tops), val=0.2)
    assert len(done) == len(tops) and set(places(done)) <= {"train", "val"}
    if tops:
        assert (places(done) == "train").any()


def test_classes_are_shared_evenly_and_the_total_is_as_asked():
    tops = RNG.choice(7, 1000, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02]).tolist()
    done = assign(classes(tops), val=0.2, test=0.15, seed=1)
    place, tops = places(done), np.array(tops)
    assert (place == "val").sum() == 200 and (place == "test").sum() == 150
    for top in range(7):
        mine = place[tops == top]
        assert abs((mine == "val").sum() - 0.2 * len(mine)) <= 1 and abs((mine == "test").sum() - 0.15 * len(mine)) <= 1
    assert "val: 200 of 1000 (20% asked) drawn from train, stratified by class, seed 1" in said(done)


def test_many_rare_classes_keep_the_total():
    tops = np.repeat(np.arange(100), 2).tolist()
    done = assign(classes(tops), val=0.2)
    place = places(done)
    assert (place == "val").sum() == 40
    assert all((place[np.array(tops) == top] == "train").any() for top in range(100))


def test_single_samples_stay_in_training():
    done = assign(classes([0] * 20 + [1]), val=0.5)
    assert done[20].split == "train" and "1 classes have a single sample" in said(done) and "c1" in said(done)


def test_what_the_data_says_is_kept():
    splits = ["train"] * 10 + ["val"] * 3 + ["test"] * 2 + [None] * 5
    done = assign(classes([0, 1] * 10, splits), val=0.5, test=0.5 - 1e-9)
    assert places(done).tolist() == ["train"] * 10 + ["val"] * 3 + ["test"] * 2 + ["train"] * 5
    done = assign(classes([0, 1] * 10, ["train"] * 10 + ["test"] * 10), val=0.2)
    assert (places(done)[:10] == "val").sum() == 2 and set(places(done)[10:]) == {"test"}


def test_the_given_data_is_not_changed():
    original = classes([0, 1] * 10)
    assign(original, val=0.5)
    assert original.splits == {"": 20} and not original.notes


def test_none_asked():
    assert assign(classes([0, 1] * 5), val=0).splits == {"train": 10}


def test_the_same_seed_gives_the_same_splits():
    original = classes(RNG.integers(0, 5, 300).tolist())
    assert (places(assign(original, seed=4)) == places(assign(original, seed=4))).all()
    assert (places(assign(original, seed=4)) != places(assign(original, seed=5))).any()


def test_unlabeled_samples_stay_in_training():
    done = assign(classes([0, 1, None, None] * 10), val=0.5)
    assert {sample.split for sample in done if sample.label is None} == {"train"} and "20 samples without a label" in said(done)
    assert (places(done) == "val").sum() == 10


def test_data_without_labels_or_of_another_family_is_shared_at_random():
    assert assign(data([None] * 50, None), val=0.2).splits == {"val": 10, "train": 40}
    done = assign(data([Text("a")] * 50, Space("Text")), val=0.2)
    assert done.splits["val"] == 10 and "at random" in said(done)


@pytest.mark.parametrize("shares", [(1.0, 0), (0.6, 0.5), (-0.1, 0), (float("nan"), 0)])
def test_impossible_shares(shares):
    with pytest.raises(DataError):
        assign(classes([0, 1]), val=shares[0], test=shares[1])


def several(count=1000, columns=8, unknown=0.1):
    values = (RNG.random((count, columns)) < RNG.uniform(0.01, 0.4, columns)).astype(np.float32)
    values[RNG.random(values.shape) < unknown] = np.nan
    return data([Classification(row) for row in values], Space("Classification", tuple("abcdefgh"[:columns]), exclusive=False)), np.nan_to_num(values)


def test_several_classes_are_stratified_iteratively():
    original, values = several()
    done = assign(original, val=0.2, test=0.1)
    place = places(done)
    for name, share in (("val", 0.2), ("test", 0.1)):
        mine = values[place == name]
        assert abs(len(mine) - share * 1000) <= 12
        assert np.abs(mine.sum(0) - share * values.sum(0)).max() <= 2.5
    assert "stratified iteratively" in said(done)


def test_iterative_stratification_beats_chance():
    original, values = several(300, 8, 0)
    place = places(assign(original, val=0.2))
    shuffled = RNG.permutation(place)
    off = [np.abs(values[p == "val"].sum(0) - 0.2 * values.sum(0)).sum() for p in (place, shuffled)]
    assert off[0] < 0.5 * off[1]


def test_several_classes_rare_and_empty():
    values = np.zeros((30, 3), np.float32)
    values[:15, 0] = 1
    values[4, 1] = 1
    original = data([Classification(row) for row in values], Space("Classification", ("a", "rare", "never"), exclusive=False))
    done = assign(original, val=0.2)
    assert done[4].split == "train" and (places(done) == "val").sum() == 6
    assert assign(data([Classification(np.zeros(2))] * 10, Space("Classification", ("a", "b"), exclusive=False)), val=0.3).splits["val"] == 3
    assert assign(data([Classification(np.ones(1))], Space("Classification", ("a",), exclusive=False))).splits == {"train": 1}


def test_numbers_are_stratified_by_value():
    values = RNG.lognormal(0, 1, 500).astype(np.float32)
    done = assign(data([Regression([value]) for value in values], Space("Regression", ("x",))), val=0.2)
    mine = places(done) == "val"
    assert mine.sum() == 100 and "stratified by value" in said(done)
    quantiles = np.linspace(0.1, 0.9, 9)
    assert np.abs(np.quantile(values[mine], quantiles) / np.quantile(values, quantiles) - 1).max() < 0.15


@pytest.mark.parametrize("values", [np.ones((40, 1)), np.full((40, 1), np.nan), RNG.random((40, 3)), RNG.random((2, 1))])
def test_odd_numbers(values):
    done = assign(data([Regression(row) for row in values.astype(np.float32)], Space("Regression", ("x",) * values.shape[1])), val=0.25)
    assert 1 <= (places(done) == "val").sum() <= 12


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole(seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat([f"g{i}" for i in range(60)], rng.integers(1, 30, 60)).tolist()
    tops = [int(group[1:]) % 3 if rng.random() < 0.7 else int(rng.integers(3)) for group in groups]
    done = assign(classes(tops, groups=groups), val=0.2, test=0.1, seed=seed)
    place, groups, tops = places(done), np.array(groups), np.array(tops)
    assert all(len(set(place[groups == group])) == 1 for group in set(groups))
    assert abs((place == "val").mean() - 0.2) < 0.03 and abs((place == "test").mean() - 0.1) < 0.03
    for top in range(3):
        assert abs((tops[place == "val"] == top).mean() - (tops == top).mean()) < 0.1
    assert "whole groups (60)" in said(done)


def test_few_groups():
    done = assign(classes([0, 1] * 10, groups=["a"] * 10 + ["b"] * 10), val=0.2)
    assert done.splits == {"train": 10, "val": 10}
    done = assign(classes([0, 1] * 10, groups=["a"] * 20), val=0.2)
    assert done.splits == {"train": 20} and "val is empty" in said(done)


def test_samples_without_a_group_are_their_own():
    groups = ["a"] * 10 + [None] * 30
    done = assign(classes([0, 1] * 20, groups=groups), val=0.25)
    assert len(set(places(done)[:10])) == 1 and 8 <= (places(done) == "val").sum() <= 12


def test_groups_of_the_test_set_are_not_drawn_for_validation():
    groups = ["a"] * 5 + ["b"] * 5 + ["c"] * 5 + ["a"] * 5
    done = assign(classes([0, 1] * 10, ["train"] * 15 + ["test"] * 5, groups), val=0.3)
    assert set(places(done)[:5]) == {"train"} and "val" in set(places(done)[5:15]) and "also in val or test" in said(done)


def test_agrees_with_sklearn_on_class_balance():
    model_selection = pytest.importorskip("sklearn.model_selection")
    tops = RNG.choice(4, 400, p=[0.6, 0.25, 0.1, 0.05])
    mine = places(assign(classes(tops.tolist()), val=0.25)) == "val"
    _, theirs = next(model_selection.StratifiedShuffleSplit(1, test_size=0.25, random_state=0).split(tops, tops))
    assert np.abs(np.bincount(tops[mine]) - np.bincount(tops[theirs])).max() <= 1

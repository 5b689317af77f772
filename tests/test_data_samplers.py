import numpy as np
import pytest

from vidi.data.samplers import balanced, repeat_factor, sequential, shuffled


def test_empty_data_gives_empty_orders():
    for order in (sequential(0), shuffled(0, 1, 0), balanced(np.zeros(0, int)), balanced(np.zeros((0, 3))), repeat_factor(np.zeros((0, 3)))):
        assert order.shape == (0,) and order.dtype == np.int64


def test_shuffled_is_a_permutation_that_depends_on_seed_and_epoch_alone():
    orders = [shuffled(101, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(101)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert (shuffled(101, 1, 1) == orders[3]).all()
    assert (sequential(5) == [0, 1, 2, 3, 4]).all()


@pytest.mark.parametrize("call", [
    lambda: shuffled(-1, 0, 0), lambda: shuffled(3, 0, -1), lambda: sequential(-2), lambda: balanced(np.array([0, 1]), "other"),
    lambda: balanced(np.array([0.5, 1.0])), lambda: balanced(np.array([-1, -1])), lambda: repeat_factor(np.ones(3)),
    lambda: repeat_factor(np.ones((3, 2)), threshold=0),
])  # fmt: skip
def test_senseless_arguments_are_refused(call):
    with pytest.raises(ValueError):
        call()


def counted(order, classes, count):
    return np.bincount(classes[order], minlength=count)


def test_equal_gives_each_class_the_same_share():
    classes = np.repeat([0, 1, 2], [900, 90, 10])
    assert (np.sort(counted(balanced(classes, "equal", 3, 0), classes, 3)) == [333, 333, 334]).all()


def test_sqrt_gives_a_share_by_the_root_of_the_count():
    classes = np.repeat([0, 1], [900, 100])
    assert (counted(balanced(classes, "sqrt", 3, 0), classes, 2) == [750, 250]).all()


def test_one_class_is_a_plain_shuffle():
    assert sorted(balanced(np.zeros(50, int), "equal", 0, 4)) == list(range(50))


def test_samples_of_a_class_are_cycled_over_epochs():
    classes = np.repeat([0, 1], [70, 7])
    seen = np.zeros(77, int)
    for epoch in range(5):
        order = balanced(classes, "equal", 9, epoch)
        assert len(order) == 77
        seen += np.bincount(order, minlength=77)
        for name in (0, 1):  # never two turns ahead of another sample of the class
            assert np.ptp(seen[classes == name]) <= 1


def test_balanced_is_pure_and_changes_with_the_epoch():
    classes = np.random.default_rng(0).integers(0, 4, 300)
    assert (balanced(classes, "sqrt", 5, 2) == balanced(classes, "sqrt", 5, 2)).all()
    assert (balanced(classes, "sqrt", 5, 2) != balanced(classes, "sqrt", 5, 3)).any()
    assert (balanced(classes, "sqrt", 5, 2) != balanced(classes, "sqrt", 6, 2)).any()


def test_samples_without_a_class_are_left_out():
    classes = np.array([0, 0, -1, 1, -1, 1])
    order = balanced(classes, "equal", 0, 0)
    assert len(order) == 6 and not np.isin(order, (2, 4)).any()


@pytest.mark.parametrize("mode", ["sqrt", "equal"])
def test_several_labels_follow_the_rarest_class(mode):
    rng = np.random.default_rng(1)
    present = np.stack([rng.random(2000) < share for share in (0.8, 0.2, 0.02)], axis=1).astype(float)
    present[rng.random(present.shape) < 0.05] = np.nan
    there = np.nan_to_num(present) > 0
    asked = there.sum(0).max() / there.sum(0)
    factors = np.where(there, asked**0.5 if mode == "sqrt" else asked, 1).max(1)
    order = balanced(present, mode, 0, 0)
    turns = np.bincount(order, minlength=2000)
    assert len(order) == 2000
    assert np.abs(turns - factors * 2000 / factors.sum()).max() < 1 + 1e-9


def test_repeat_factor_matches_its_formula_in_the_mean():
    present = np.zeros((1000, 2))
    present[:, 0] = 1
    present[:10, 1] = 1
    turns = sum(np.bincount(repeat_factor(present, 0.09, 0, epoch), minlength=1000) for epoch in range(20)) / 20
    assert (turns[10:] == 1).all()
    assert (turns[:10] == 3).all()  # sqrt(0.09 / 0.01)
    half = sum(len(repeat_factor(present, 0.0625, 0, epoch)) for epoch in range(50)) / 50
    assert abs(half - (990 + 25)) < 1.0  # sqrt(6.25) = 2.5, rounded at random

"""Certificates by vote: bounds, radii, abstention."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from vidi.ops.certify import ABSTAIN, certify, lower_bound, predict, radius


@pytest.mark.parametrize(("hits", "trials", "alpha"), [(7, 10, 0.05), (99, 100, 0.001), (50, 100, 0.01), (1, 5, 0.1), (10, 10, 0.001)])
def test_bound_is_where_so_many_hits_or_more_have_chance_alpha(hits, trials, alpha):
    low, high = 0.0, 1.0
    for _ in range(200):  # by bisection of the binomial's tail
        middle = (low + high) / 2
        if binom.sf(hits - 1, trials, middle) > alpha:
            high = middle
        else:
            low = middle
    assert float(lower_bound(np.array(hits), trials, alpha)) == pytest.approx(low, abs=1e-9)


def test_known_bounds():
    assert float(lower_bound(np.array(0), 10, 0.05)) == 0
    assert float(lower_bound(np.array(100), 100, 0.001)) == pytest.approx(0.001 ** (1 / 100))


def test_bounds_hold_as_often_as_they_say():
    hits = np.random.default_rng(0).binomial(50, 0.7, 20000)
    assert (lower_bound(hits, 50, 0.05) > 0.7).mean() <= 0.055


def test_radius_is_zero_up_to_a_half_and_grows():
    found = radius(np.array([0.0, 0.5, 0.6, 0.9, 0.999, 1.0]), 0.25)
    assert found[:2].tolist() == [0, 0] and (np.diff(found[1:]) > 0).all() and np.isfinite(found).all()
    assert found[3] == pytest.approx(0.25 * norm.ppf(0.9))


def test_no_pictures():
    classes, radii = certify(np.zeros((0, 3), int), np.zeros((0, 3), int), 0.25, 0.001)
    assert classes.shape == radii.shape == (0,) and predict(np.zeros((0, 3), int), 0.001).shape == (0,)


def test_even_votes_abstain_and_clear_ones_do_not():
    votes = np.array([[500, 500], [999, 1], [0, 1000]])
    classes, radii = certify(votes, votes, 0.5, 0.001)
    assert classes.tolist() == [ABSTAIN, 0, 1] and radii[0] == 0 and radii[2] > radii[1] > 0
    assert predict(votes, 0.001).tolist() == [ABSTAIN, 0, 1]


def test_the_class_is_chosen_by_the_first_votes_alone():
    classes, radii = certify(np.array([[60, 40]]), np.array([[10, 990]]), 0.5, 0.001)
    assert classes.tolist() == [ABSTAIN] and radii.tolist() == [0]

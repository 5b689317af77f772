"""Ranking curves, calibration bins and thresholds against brute force and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from vidi.errors import InputError
from vidi.ops.curves import (
    area_under_roc,
    average_precision,
    bin_index,
    calibration_bins,
    f1_curve,
    precision_influence,
    precision_recall_curve,
    rank,
    roc_curve,
    roc_influence,
    thin,
)
from vidi.ops.thresholds import best_thresholds, top_k


def cases(count=60):
    """Random scores and truths: few and many samples, with and without ties."""
    rng = np.random.default_rng(1)
    for i in range(count):
        n = int(rng.integers(1, 40))
        scores = rng.random(n).astype(np.float32) if i % 2 else rng.integers(0, 4, n) / 4
        yield rng, scores, rng.random(n) < rng.choice([0.1, 0.5, 0.9])


def brute_auc(scores, positive, weights):
    inside = both = 0.0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            w = weights[i] * weights[j]
            inside += w * ((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
            both += w
    return inside / both if both else np.nan


def brute_ap(scores, positive, weights):
    total, area, before = (weights * positive).sum(), 0.0, 0.0
    for cut in np.unique(scores)[::-1]:
        chosen = scores >= cut
        hits, all_ = (weights * positive * chosen).sum(), (weights * chosen).sum()
        if all_:
            area += (hits - before) * hits / all_
        before = hits
    return area / total if total else np.nan


def test_empty_and_one_sided_rankings_are_undefined():
    for positive in ([], [True], [False], [True, True]):
        ranking = rank(np.arange(len(positive), dtype=float), np.array(positive, dtype=bool))
        one = np.ones((2, len(positive)))
        assert np.isnan(area_under_roc(ranking, one)).all()
        assert np.isnan(average_precision(ranking, one)).all() == (not any(positive))
        assert np.isnan(roc_influence(ranking)[0])


def test_areas_equal_brute_force_under_weights():
    for rng, scores, positive in cases():
        weights = rng.integers(0, 3, (5, len(scores))).astype(float)
        ranking = rank(scores, positive)
        expected_auc = [brute_auc(scores, positive, w) for w in weights]
        expected_ap = [brute_ap(scores, positive, w) for w in weights]
        np.testing.assert_allclose(area_under_roc(ranking, weights), expected_auc, atol=1e-12)
        np.testing.assert_allclose(average_precision(ranking, weights), expected_ap, atol=1e-12)


def test_areas_do_not_depend_on_order_or_block():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, 300) / 5, rng.random(300) < 0.3
    weights = rng.integers(0, 3, (7000, 300)).astype(float)
    shuffle = rng.permutation(300)
    for area in (area_under_roc, average_precision):
        straight = area(rank(scores, positive), weights)
        np.testing.assert_allclose(area(rank(scores[shuffle], positive[shuffle]), weights[:, shuffle]), straight, atol=1e-12)
        np.testing.assert_allclose(area(rank(scores, positive), weights[-1:]), straight[-1:], atol=1e-12)


def test_influences_are_the_derivatives():
    for _, scores, positive in cases(30):
        ranking = rank(scores, positive)
        for area, influence in ((area_under_roc, roc_influence), (average_precision, precision_influence)):
            value, slope = influence(ranking)
            n, step = len(scores), 1e-6
            if np.isnan(value):
                assert not slope.any()
                continue
            assert value == pytest.approx(area(ranking, np.ones((1, n)))[0], abs=1e-12)
            nudged = np.eye(n)[ranking.rows] * step
            numeric = (area(ranking, 1 + nudged) - area(ranking, 1 - nudged)) / (2 * step)
            np.testing.assert_allclose(slope, numeric, atol=1e-7)


def test_curves_equal_sklearn():
    for _, scores, positive in cases():
        if positive.all() or not positive.any():
            continue
        for found, expected in zip(roc_curve(scores, positive), sk.roc_curve(positive, scores, drop_intermediate=False)):
            np.testing.assert_allclose(found, expected, atol=1e-12)
        precision, recall, thresholds = precision_recall_curve(scores, positive)
        expected = sk.precision_recall_curve(positive, scores)
        for found, other in ((precision, expected[0]), (recall, expected[1]), (thresholds[1:], expected[2])):
            np.testing.assert_allclose(found[::-1], other, atol=1e-12)
        for cut, f1 in zip(*f1_curve(scores, positive)):
            assert f1 == pytest.approx(sk.f1_score(positive, scores >= cut, zero_division=0))


def test_bins_hold_their_upper_edge():
    assert bin_index(np.array([0.0, 0.1, 0.2, 0.20001, 1.0]), 5).tolist() == [0, 0, 0, 1, 4]
    count, claimed, observed = calibration_bins(np.array([0.05, 0.15, 0.95]), np.array([0, 1, 1]), 10)
    assert count.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(claimed[[0, 1, 9]], [0.05, 0.15, 0.95])
    np.testing.assert_allclose(observed[[0, 1, 9]], [0, 1, 1])
    assert np.isnan(claimed[2:9]).all()
    assert calibration_bins(np.zeros(0), np.zeros(0))[0].sum() == 0


def test_thin_keeps_ends_and_shape():
    x = np.linspace(0, 1, 10_000)
    y = 1 - np.exp(-500 * x)
    thin_x, thin_y = thin(x, y)
    assert len(thin_x) == len(thin_y) <= 200
    assert (thin_x[0], thin_x[-1], thin_y[-1]) == (0.0, 1.0, y[-1])
    assert np.abs(np.interp(x, thin_x, thin_y) - y).max() < 0.01
    assert thin(np.ones(5), np.ones(5))[0] == [1.0] * 5
    assert len(thin(np.ones(500), np.ones(500))[0]) <= 200


def goodness(scores, positive, threshold, objective, cost_fp, cost_fn, floor):
    chosen = scores >= threshold
    hits = (chosen & positive).sum()
    precision, recall = hits / max(1, chosen.sum()), hits / positive.sum()
    if objective == "f1":
        return (2 * hits / (chosen.sum() + positive.sum()),)
    if objective == "cost":
        return (-cost_fp * (chosen & ~positive).sum() - cost_fn * (~chosen & positive).sum(),)
    if objective == "recall":
        return (recall >= floor - 1e-9, precision, recall)
    enough = precision >= floor - 1e-9 and hits > 0
    return (enough, recall, precision) if enough else (enough, precision, recall)


@pytest.mark.parametrize("objective", ["f1", "cost", "recall", "precision"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_are_the_best_of_all_cuts(objective, dtype):
    for rng, scores, positive in cases(80):
        scores = scores.astype(dtype)
        options = {"cost_fp": float(rng.integers(1, 4)), "cost_fn": float(rng.integers(1, 4)), "floor": float(rng.choice([0.3, 0.9, 1]))}
        found = best_thresholds(scores[:, None], positive[:, None].astype(float), objective, **options)[0]
        if not positive.any():
            assert found == 0.5
            continue
        every = [np.inf, *np.unique(scores)]
        best = max(goodness(scores, positive, cut, objective, **options) for cut in every)
        assert goodness(scores, positive, found, objective, **options) == best
        assert goodness(scores, positive, dtype(found), objective, **options) == best


def test_thresholds_never_lower_f1_and_ignore_unknown():
    rng = np.random.default_rng(3)
    truth = (rng.random((200, 12)) < 0.2).astype(np.float32)
    probabilities = np.clip(0.3 * truth + 0.5 * rng.random((200, 12)), 0, 1).astype(np.float32)
    truth[rng.random(truth.shape) < 0.3] = np.nan
    found = best_thresholds(probabilities, truth)
    for c in range(12):
        known = ~np.isnan(truth[:, c])
        y, p = truth[known, c] > 0.5, probabilities[known, c]
        assert found[c] == best_thresholds(p[:, None], y[:, None].astype(float))[0]
        assert sk.f1_score(y, p >= found[c]) >= sk.f1_score(y, p >= 0.5, zero_division=0)


def test_thresholds_lie_in_the_middle_of_the_widest_gap():
    probabilities = np.array([[0.9], [0.8], [0.2], [0.1]])
    assert best_thresholds(probabilities, np.array([[1], [1], [0], [0]]))[0] == pytest.approx(0.5)
    # cutting above or below 0.8 costs the same; 0.3..0.8 is the wider gap
    found = best_thresholds(np.array([[0.9], [0.8], [0.3]]), np.array([[1], [1], [0]]), "cost", cost_fp=1, cost_fn=1)
    assert found[0] == pytest.approx(0.55)


def test_thresholds_of_degenerate_data():
    assert best_thresholds(np.zeros((0, 3)), np.zeros((0, 3))).tolist() == [0.5] * 3
    assert best_thresholds(np.full((4, 1), 0.7), np.full((4, 1), np.nan)).tolist() == [0.5]
    assert best_thresholds(np.array([[0.7]]), np.array([[1.0]]))[0] <= 0.7
    assert best_thresholds(np.array([[0.0]]), np.array([[1.0]]))[0] == 0.0
    certain = best_thresholds(np.ones((3, 1), np.float32), np.array([[1.0], [0], [0]]), "cost", cost_fp=5, cost_fn=1)
    assert not (np.float32(1.0) >= certain).any()


def test_thresholds_refuse_bad_arguments():
    good = np.full((2, 2), 0.5)
    for arguments, options in (
        ((good, good[:1]), {}),
        ((good * np.nan, good), {}),
        ((good, good, "accuracy"), {}),
        ((good, good, "cost"), {"cost_fp": -1}),
        ((good, good, "recall"), {"floor": 1.5}),
    ):
        with pytest.raises(InputError):
            best_thresholds(*arguments, **options)


def test_top_k():
    probabilities = np.array([[0.1, 0.5, 0.5, 0.2], [0.3, 0.3, 0.3, 0.3]])
    assert top_k(probabilities, 1).tolist() == [[False, True, False, False], [True, False, False, False]]
    assert top_k(probabilities, 2).sum(1).tolist() == [2, 2]
    assert top_k(probabilities, 9).all()
    assert top_k(np.zeros((0, 3)), 2).shape == (0, 3)
    with pytest.raises(InputError):
        top_k(probabilities, 0)

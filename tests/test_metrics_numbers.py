"""Each metric's numbers against scikit-learn or brute force, the empty and degenerate cases first."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from vidi.core.discovery import load
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Regression
from vidi.metrics import applicable

EXCLUSIVE = Space("Classification", ("ant", "bee", "cat", "dog", "eel", "fox"))
INDEPENDENT = Space("Classification", ("ant", "bee", "cat", "dog"), exclusive=False)
VALUES = Space("Regression", ("width", "height"))
STACKED = [name for name in applicable(VALUES) if name != "coverage"]


def numbers(name, truth, predicted, space, **settings):
    return load("metrics", name).numbers(truth, predicted, space, settings)


def exclusive(n=400, count=6, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    index = rng.integers(0, count, n)
    logits = rng.normal(size=(n, count)) + 1.5 * np.eye(count)[index]
    predicted = np.exp(logits)
    predicted /= predicted.sum(1, keepdims=True)
    if ties:
        predicted = np.round(predicted, 1)
    return np.eye(count)[index], predicted, index


def independent(n=400, count=4, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, count)) < [0.1, 0.3, 0.5, 0.8]).astype(float)
    predicted = np.clip(0.3 * truth + 0.7 * rng.random((n, count)), 0.001, 0.999)
    return truth, np.round(predicted, 1) if ties else predicted


def everything(space):
    for name in applicable(space):
        if getattr(load("metrics", name), "STACKED", True):
            yield name


@pytest.mark.parametrize("space", [EXCLUSIVE, INDEPENDENT, VALUES], ids=["exclusive", "independent", "values"])
@pytest.mark.parametrize("n", [0, 3])
def test_nothing_known_gives_none_and_no_error(space, n):
    width = len(space)
    for name in everything(space):
        truth, predicted = np.full((n, width), np.nan, np.float32), np.full((n, width), 1 / width, np.float32)
        found = numbers(name, truth, predicted, space)
        assert set(found.values()) <= {None}, name
        figures = getattr(load("metrics", name), "figures", None)
        if figures:
            json.dumps(figures(truth, predicted, space, {}), allow_nan=False)


@pytest.mark.parametrize("space", [EXCLUSIVE, INDEPENDENT, VALUES], ids=["exclusive", "independent", "values"])
def test_one_sample_and_nameless_spaces_work(space):
    truth = np.eye(len(space), dtype=np.float32)[:1]
    for name in everything(space):
        for meaning in (space, Space(space.family, (), space.exclusive)):
            found = numbers(name, truth, np.full_like(truth, 0.25), meaning)
            assert all(value is None or np.isfinite(value) for value in found.values())
            assert set(found) >= set(load("metrics", name).HIGHER_IS_BETTER) or name == "f1"


def test_accuracy_equals_sklearn():
    for ties in (False, True):
        truth, predicted, index = exclusive(ties=ties)
        found = numbers("accuracy", truth, predicted, EXCLUSIVE)
        guess = predicted.argmax(1)
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(index, guess))
        assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(index, guess))


def test_rows_of_unknown_class_are_left_out():
    truth, predicted, index = exclusive(100)
    truth[::3] = np.nan
    known = np.arange(100) % 3 > 0
    for name in everything(EXCLUSIVE):
        assert numbers(name, truth, predicted, EXCLUSIVE) == pytest.approx(
            numbers(name, truth[known], predicted[known], EXCLUSIVE)
        ), name


def test_partly_known_classes():
    truth = np.array([[1, np.nan, np.nan], [0, np.nan, np.nan], [0.2, 0.5, 0.3]])
    predicted = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]])
    assert numbers("accuracy", truth, predicted, Space("Classification", tuple("abc")))["accuracy"] == 0.5


def test_top5_counts_ties_by_index():
    truth, predicted, index = exclusive(count=6)
    expected = sk.top_k_accuracy_score(index, predicted, k=5)
    assert numbers("top5", truth, predicted, EXCLUSIVE)["top5_accuracy"] == pytest.approx(expected)
    same = np.full((6, 6), 1 / 6)
    assert numbers("top5", np.eye(6), same, EXCLUSIVE)["top5_accuracy"] == pytest.approx(5 / 6)
    assert numbers("top5", np.eye(5), same[:5, :5], Space("Classification", tuple("abcde")))["top5_accuracy"] is None


def test_f1_of_exclusive_classes_equals_sklearn():
    for seed, n in ((0, 400), (1, 5), (2, 12)):
        truth, predicted, index = exclusive(n, seed=seed)
        found = numbers("f1", truth, predicted, EXCLUSIVE)
        for name, score in (("macro_f1", sk.f1_score), ("macro_precision", sk.precision_score), ("macro_recall", sk.recall_score)):
            expected = score(index, predicted.argmax(1), average="macro", zero_division=0)
            assert found[name] == pytest.approx(expected), name


def test_f1_of_independent_classes_equals_sklearn():
    truth, predicted = independent()
    thresholds = [0.3, 0.5, 0.6, 0.7]
    chosen = predicted >= np.array(thresholds)
    by_name = dict(zip(INDEPENDENT.names, thresholds))
    for given in (thresholds, by_name):
        found = numbers("f1", truth, predicted, INDEPENDENT, thresholds=given)
        assert found["macro_f1"] == pytest.approx(sk.f1_score(truth, chosen, average="macro"))
        assert found["micro_f1"] == pytest.approx(sk.f1_score(truth, chosen, average="micro"))
        precision, recall = (score(truth, chosen, average="macro") for score in (sk.precision_score, sk.recall_score))
        assert found["cf1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert numbers("f1", truth, predicted, INDEPENDENT) == numbers("f1", truth, predicted, INDEPENDENT, thresholds=0.5)


def test_bad_thresholds_are_refused():
    truth, predicted = independent(5)
    for given in ([0.5, 0.5], {"zebra": 0.5}, float("nan")):
        with pytest.raises(InputError):
            numbers("f1", truth, predicted, INDEPENDENT, thresholds=given)


def test_roc_auc_and_average_precision_equal_sklearn():
    for ties in (False, True):
        truth, predicted, index = exclusive(ties=ties)
        one_vs_rest = sk.roc_auc_score(truth, predicted, average="macro")
        assert numbers("roc_auc", truth, predicted, EXCLUSIVE)["roc_auc"] == pytest.approx(one_vs_rest)
        truth, predicted = independent(ties=ties)
        assert numbers("roc_auc", truth, predicted, INDEPENDENT)["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, predicted))
        found = numbers("average_precision", truth, predicted, INDEPENDENT)
        assert found["map"] == pytest.approx(sk.average_precision_score(truth, predicted, average="macro"))
        assert found["micro_map"] == pytest.approx(sk.average_precision_score(truth, predicted, average="micro"))


def test_areas_average_over_defined_classes():
    truth, predicted = independent()
    truth[:, 0], truth[:, 1] = 0, 1
    assert numbers("roc_auc", truth, predicted, INDEPENDENT)["roc_auc"] == pytest.approx(
        sk.roc_auc_score(truth[:, 2:], predicted[:, 2:])
    )
    precision = [sk.average_precision_score(truth[:, c], predicted[:, c]) for c in (1, 2, 3)]
    assert numbers("average_precision", truth, predicted, INDEPENDENT)["map"] == pytest.approx(np.mean(precision))
    assert numbers("roc_auc", truth[:, :2], predicted[:, :2], Space("Classification", ("a", "b"), False)) == {"roc_auc": None}


def test_unknown_entries_are_left_out_by_class():
    truth, predicted = independent()
    truth[np.random.default_rng(5).random(truth.shape) < 0.3] = np.nan
    known = ~np.isnan(truth)
    by_class = [(truth[k, c], predicted[k, c]) for c, k in enumerate(known.T)]
    pooled, scores = truth[known], predicted[known]

    def found(name):
        return numbers(name, truth, predicted, INDEPENDENT)

    assert found("roc_auc")["roc_auc"] == pytest.approx(np.mean([sk.roc_auc_score(*pair) for pair in by_class]))
    assert found("average_precision")["map"] == pytest.approx(np.mean([sk.average_precision_score(*pair) for pair in by_class]))
    assert found("average_precision")["micro_map"] == pytest.approx(sk.average_precision_score(pooled, scores))
    assert found("f1")["macro_f1"] == pytest.approx(np.mean([sk.f1_score(y, p >= 0.5) for y, p in by_class]))
    assert found("multilabel")["hamming_loss"] == pytest.approx(np.mean(pooled != (scores >= 0.5)))
    assert found("ece")["nll"] == pytest.approx(sk.log_loss(pooled, scores))
    assert found("ece")["brier"] == pytest.approx(np.mean((pooled - scores) ** 2))


def brute_ece(confidence, outcome, bins=15):
    total = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins) | ((b == 0) & (confidence == 0))
        if inside.any():
            total += inside.sum() * abs(confidence[inside].mean() - outcome[inside].mean())
    return total / len(confidence)


def test_calibration_equals_brute_force_and_sklearn():
    truth, predicted, index = exclusive()
    found = numbers("ece", truth, predicted, EXCLUSIVE)
    assert found["ece"] == pytest.approx(brute_ece(predicted.max(1), predicted.argmax(1) == index))
    assert found["nll"] == pytest.approx(sk.log_loss(index, predicted))
    assert found["brier"] == pytest.approx(((truth - predicted) ** 2).sum(1).mean())
    truth, predicted = independent()
    assert numbers("ece", truth, predicted, INDEPENDENT)["ece"] == pytest.approx(brute_ece(predicted.ravel(), truth.ravel()))


def test_likelihood_of_impossible_and_soft_truth_is_finite():
    space = Space("Classification", ("a", "b"))
    assert 15 < numbers("ece", np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]), space)["nll"] < 17
    soft, predicted = np.array([[0.25, 0.75]]), np.array([[0.4, 0.6]])
    assert numbers("ece", soft, predicted, space)["nll"] == pytest.approx(-(soft * np.log(predicted)).sum())


def test_logits_are_refused_as_probabilities():
    with pytest.raises(InputError) as caught:
        numbers("ece", np.eye(2), np.array([[0.2, 0.8], [-1.5, 2.0]]), Space("Classification", ("a", "b")))
    assert caught.value.at == 1


def test_multilabel_equals_sklearn():
    for ties in (False, True):
        truth, predicted = independent(ties=ties)
        truth[0], truth[1] = 0, 1
        found = numbers("multilabel", truth, predicted, INDEPENDENT)
        chosen = predicted >= 0.5
        assert found["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, chosen))
        assert found["subset_accuracy"] == pytest.approx(sk.accuracy_score(truth, chosen))
        assert found["lrap"] == pytest.approx(sk.label_ranking_average_precision_score(truth, predicted))


def regression(n=300):
    rng = np.random.default_rng(0)
    truth = rng.normal(1000, [1, 50], (n, 2))
    return truth, truth + rng.normal(0, [0.5, 20], (n, 2))


def test_regression_equals_sklearn():
    truth, predicted = regression()
    for name, score in (("mae", sk.mean_absolute_error), ("rmse", sk.root_mean_squared_error), ("r2", sk.r2_score)):
        found = numbers(name, truth, predicted, VALUES)
        each = score(truth, predicted, multioutput="raw_values")
        assert found == pytest.approx({name: each.mean(), f"{name}_width": each[0], f"{name}_height": each[1]}), name
        single = numbers(name, truth[:, :1], predicted[:, :1], Space("Regression", ("width",)))
        assert single == pytest.approx({name: each[0]})


def test_regression_leaves_unknown_values_out():
    truth, predicted = regression()
    truth[::2, 1] = np.nan
    found = numbers("mae", truth, predicted, VALUES)
    assert found["mae_height"] == pytest.approx(np.abs(truth - predicted)[1::2, 1].mean())
    assert load("metrics", "mae").counts(truth, VALUES, {}) == {"mae": 300, "mae_width": 300, "mae_height": 150}
    truth[:, 1] = np.nan
    assert numbers("rmse", truth, predicted, VALUES)["rmse_height"] is None
    assert numbers("r2", np.full((9, 1), 1e6), np.zeros((9, 1)), Space("Regression", ("a",))) == {"r2": None}


def test_coverage_of_true_and_false_deviations():
    rng = np.random.default_rng(0)
    space, module = Space("Regression", ("a",)), load("metrics", "coverage")
    truth = [Regression(np.array([v])) for v in rng.normal(0, 2, 4000)]

    def found(std):
        return module.numbers(truth, [Regression(np.zeros(1), None if std is None else np.array([std]))] * 4000, space, {})

    assert found(2.0)["coverage_error"] < 0.02 < 0.2 < found(0.5)["coverage_error"]
    assert found(2.0)["gaussian_nll"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 4), abs=0.05)
    assert found(2.0)["gaussian_nll"] < min(found(1.0)["gaussian_nll"], found(4.0)["gaussian_nll"])
    assert found(None) == {"gaussian_nll": None, "coverage_error": None} == module.numbers([], [], space, {})
    assert module.figures(truth, [Regression(np.zeros(1))] * 4000, space, {}) == []


def test_numbers_do_not_depend_on_the_order_of_samples():
    shuffle = np.random.default_rng(0).permutation(400)
    for space, (truth, predicted) in ((EXCLUSIVE, exclusive(ties=True)[:2]), (INDEPENDENT, independent(ties=True))):
        for name in everything(space):
            found = numbers(name, truth[shuffle], predicted[shuffle], space)
            assert found == pytest.approx(numbers(name, truth, predicted, space), abs=1e-12), name

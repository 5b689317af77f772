"""Evaluation of labels: intervals, counts, figures, refusals, and two models compared."""

import json

import numpy as np
import pytest

from vidi import metrics
from vidi.core.discovery import load, names
from vidi.core.space import Space
from vidi.errors import ChoiceError, InputError
from vidi.labels import Classification, Regression
from vidi.metrics import _ranking, applicable, evaluate, paired
from vidi.metrics._arrays import plain
from vidi.metrics._bootstrap import percentiles, resamples

SPACE = Space("Classification", ("ant", "bee", "cat"))
TAGS = Space("Classification", ("ant", "bee", "cat"), exclusive=False)
SIZES = Space("Regression", ("width", "height"))


def labeled(n=200, seed=0, noise=1.0, space=SPACE):
    rng = np.random.default_rng(seed)
    if space.exclusive:
        truth = np.eye(len(space))[rng.integers(0, len(space), n)]
        predicted = np.exp(2 * truth + noise * rng.normal(size=truth.shape))
        predicted /= predicted.sum(1, keepdims=True)
    else:
        truth = (rng.random((n, len(space))) < 0.4).astype(float)
        predicted = 1 / (1 + np.exp(2 - 4 * truth - noise * rng.normal(size=truth.shape)))
    return [Classification(row) for row in truth], [Classification(row) for row in predicted]


def sized(n=50):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(n, 2))
    return [Regression(row) for row in truth], [Regression(row + 0.1, np.full(2, 0.1)) for row in truth]


def cases():
    return ((SPACE, *labeled()), (TAGS, *labeled(space=TAGS)), (SIZES, *sized()))


def test_every_metric_keeps_the_contract():
    for name in names("metrics"):
        module = load("metrics", name)
        assert isinstance(module.FAMILIES, frozenset) and module.EXCLUSIVE in (True, False, None)
        assert callable(module.numbers) and module.numbers.__doc__
    assert "accuracy" in applicable(SPACE) and "accuracy" not in applicable(TAGS) and applicable(SIZES)[:2] == ["coverage", "mae"]


def test_empty_data_gives_none():
    for space, *_ in cases():
        found = evaluate(applicable(space), [], [], space)
        assert set(found.numbers.values()) == {None} and found.intervals == {} and found.n["samples"] == 0
        assert found.per_sample["badness"].shape == (0,)
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_single_sample_has_numbers_and_no_interval():
    for space, truth, predicted in cases():
        found = evaluate(applicable(space), truth[:1], predicted[:1], space)
        assert any(value is not None for value in found.numbers.values()) and found.intervals == {}


def test_samples_without_truth_are_left_out_and_counted():
    truth, predicted = labeled()
    holes = [None if i % 4 == 0 else label for i, label in enumerate(truth)]
    holes[1] = Classification(np.full(3, np.nan))
    kept = [i for i in range(200) if i % 4 and i != 1]
    found = evaluate(["accuracy", "ece"], holes, predicted, SPACE, intervals=0)
    same = evaluate(["accuracy", "ece"], [truth[i] for i in kept], [predicted[i] for i in kept], SPACE, intervals=0)
    assert found.numbers == same.numbers
    assert found.n == {"samples": 200, "unlabeled": 51, "accuracy": 149, "balanced_accuracy": 149, "ece": 149, "nll": 149, "brier": 149}
    badness = found.per_sample["badness"]
    assert np.flatnonzero(np.isnan(badness)).tolist() == [i for i in range(200) if i not in kept]
    np.testing.assert_allclose(badness[kept], [1 - truth[i].agreement(predicted[i]) for i in kept])


def test_all_metrics_give_plain_json_with_intervals_around_the_numbers():
    for space, truth, predicted in cases():
        found = evaluate(applicable(space), truth, predicted, space)
        values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert set(values["intervals"]) == {name for name, value in found.numbers.items() if value is not None}
        for name, (low, high) in found.intervals.items():
            assert low <= high
            assert low - 0.05 <= found.numbers[name] <= high + 0.05, name
        assert set(found.higher_is_better) == set(found.numbers)
        assert {figure["kind"] for figure in found.figures} <= {"table", "matrix", "lines", "scatter", "bars", "text"}
        assert all({"title", "metric"} <= figure.keys() for figure in found.figures)
        assert evaluate(applicable(space), truth, predicted, space, figures=False).figures == []


def test_directions():
    truth, predicted = sized()
    better = evaluate(["mae", "r2"], truth, predicted, SIZES, intervals=0).higher_is_better
    assert better == {"mae": False, "mae_width": False, "mae_height": False, "r2": True, "r2_width": True, "r2_height": True}


def test_weights_give_the_numbers_of_the_resample():
    """The fast path of each metric equals its numbers on samples that are really repeated."""
    weights = np.concatenate(list(resamples(60, 8, seed=1)))
    for space, truth, predicted in ((SPACE, *labeled(60)), (TAGS, *labeled(60, space=TAGS)), (SIZES, *sized(60))):
        family = type(truth[0])
        for name in applicable(space):
            module = load("metrics", name)
            if not module.HIGHER_IS_BETTER:
                continue
            stack = family.stack if getattr(module, "STACKED", True) else list
            fast = module.estimator(stack(truth), stack(predicted), space, {})(weights)
            for r, row in enumerate(weights.astype(int)):
                drawn = np.repeat(np.arange(60), row)
                chosen = [stack([labels[i] for i in drawn]) for labels in (truth, predicted)]
                slow = module.numbers(*chosen, space, {})
                assert {key: plain(values[r]) for key, values in fast.items()} == pytest.approx(slow, abs=1e-9), name


def test_large_problems_are_linearized_closely(monkeypatch):
    truth, predicted = labeled(600, space=TAGS)
    wanted = ["roc_auc", "average_precision"]
    exact = evaluate(wanted, truth, predicted, TAGS)
    monkeypatch.setattr(_ranking, "EXACT_ENTRIES", 0)
    close = evaluate(wanted, truth, predicted, TAGS)
    assert close.numbers == pytest.approx(exact.numbers, abs=1e-12)
    for name, bounds in exact.intervals.items():
        assert close.intervals[name] == pytest.approx(bounds, abs=0.15 * (bounds[1] - bounds[0])), name


def test_intervals_cover_the_truth():
    """The nominal 90 % interval of an accuracy of 0.8 holds 0.8 in about 90 % of experiments."""
    rng, hits = np.random.default_rng(0), 0
    two = Space("Classification", ("no", "yes"))
    right, wrong = Classification.one_hot(1, 2), Classification.one_hot(0, 2)
    for i in range(150):
        predicted = [right if ok else wrong for ok in rng.random(100) < 0.8]
        low, high = evaluate(["accuracy"], [right] * 100, predicted, two, level=0.9, seed=i, figures=False).intervals["accuracy"]
        hits += low <= 0.8 <= high
    assert 0.82 <= hits / 150 <= 0.97


def test_intervals_are_repeatable_and_seeded():
    truth, predicted = labeled()
    once, again, other = (evaluate(["accuracy"], truth, predicted, SPACE, seed=seed).intervals for seed in (0, 0, 1))
    assert once == again != other


def test_resamples_do_not_depend_on_blocks(monkeypatch):
    whole = np.concatenate(list(resamples(50, 20, seed=3)))
    monkeypatch.setattr("vidi.metrics._bootstrap._BLOCK", 150)
    blocks = list(resamples(50, 20, seed=3))
    assert len(blocks) == 7 and (np.concatenate(blocks) == whole).all() and (whole.sum(1) == 50).all()


def test_groups_are_drawn_whole_and_widen_the_interval():
    weights = np.concatenate(list(resamples(6, 50, 0, ["a", "a", "a", "b", "b", "c"])))
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 3] == weights[:, 4]).all()
    truth, predicted = labeled(20, noise=3)
    many = [label for label in truth for _ in range(10)], [label for label in predicted for _ in range(10)]
    groups = [i // 10 for i in range(200)]
    alone = evaluate(["accuracy"], *many, SPACE).intervals["accuracy"]
    grouped = evaluate(["accuracy"], *many, SPACE, groups=groups).intervals["accuracy"]
    assert np.ptp(grouped) > 1.8 * np.ptp(alone)
    with pytest.raises(InputError):
        evaluate(["accuracy"], *many, SPACE, groups=groups[1:])


def test_percentiles_need_defined_resamples():
    assert percentiles(np.array([np.nan, np.nan, 1.0]), 0.9) is None
    assert percentiles(np.zeros(0), 0.9) is None
    assert percentiles(np.arange(101.0), 0.9) == pytest.approx((5, 95))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_predictions_that_are_not_finite_are_refused(bad):
    truth, predicted = labeled(10)
    truth[7], predicted[7] = None, Classification(np.array([0.5, bad, 0.5]))
    with pytest.raises(InputError) as caught:
        evaluate(["accuracy"], truth, predicted, SPACE, ids=[f"{i}.png" for i in range(10)])
    assert caught.value.at == 7 and caught.value.file == "7.png"


def test_deviations_that_are_not_finite_are_refused():
    truth, predicted = sized(5)
    predicted[3] = Regression(np.zeros(2), np.array([0.1, np.nan]))
    with pytest.raises(InputError) as caught:
        evaluate(["mae"], truth, predicted, SIZES)
    assert caught.value.at == 3


def test_labels_that_do_not_fit_are_refused():
    truth, predicted = labeled(4)
    short = Classification(np.array([0.5, 0.5]))
    for bad_truth, bad_predicted, at in (
        (truth, predicted[:3], None),
        (truth, [*predicted[:2], short, predicted[3]], 2),
        (truth, [short] * 4, 0),
        ([*truth[:3], Regression(np.ones(3))], predicted, 3),
        ([*truth[:3], Classification(np.full(3, np.inf))], predicted, 3),
    ):
        with pytest.raises(InputError) as caught:
            evaluate(["accuracy"], bad_truth, bad_predicted, SPACE)
        assert caught.value.at == at
    for options in ({"level": 1.0}, {"intervals": -1}):
        with pytest.raises(InputError):
            evaluate(["accuracy"], truth, predicted, SPACE, **options)


def test_unfit_and_unknown_metrics_are_refused():
    truth, predicted = labeled(4)
    with pytest.raises(ChoiceError, match="Regression"):
        evaluate(["mae"], truth, predicted, SPACE)
    with pytest.raises(ChoiceError, match="independent"):
        evaluate(["multilabel"], truth, predicted, SPACE)
    with pytest.raises(ChoiceError) as caught:
        evaluate(["acuracy"], truth, predicted, SPACE)
    assert "accuracy" in caught.value.fix


def test_a_metric_of_ones_own(tmp_path):
    """Twelve lines, without a fast path: it is called on every resample."""
    path = tmp_path / "confidence.py"
    path.write_text(
        "FAMILIES = frozenset({'Classification'})\nHIGHER_IS_BETTER = {'confidence': True, 'odd': False}\n"
        "def numbers(truth, predicted, space, settings):\n"
        "    return {'confidence': float(predicted.max(1).mean()), 'odd': float('nan')}\n"
    )
    truth, predicted = labeled()
    found = evaluate(["accuracy", str(path)], truth, predicted, SPACE)
    low, high = found.intervals["confidence"]
    assert low < found.numbers["confidence"] < high and found.numbers["odd"] is None and "odd" not in found.intervals
    path.with_name("double.py").write_text(path.read_text())
    with pytest.raises(InputError, match="one name"):
        evaluate([str(path), str(path.with_name("double.py"))], truth, predicted, SPACE)


def test_families_without_stacks_pass_as_lists(tmp_path, monkeypatch):
    class Word(Regression):
        stack = None

    monkeypatch.setitem(metrics._pairs.FAMILIES, "Word", Word)
    path = tmp_path / "same.py"
    path.write_text(
        "FAMILIES = frozenset({'Word'})\nHIGHER_IS_BETTER = {'same': True}\n"
        "def numbers(truth, predicted, space, settings):\n"
        "    return {'same': sum(t.values[0] == p.values[0] for t, p in zip(truth, predicted)) / len(truth) if truth else None}\n"
    )
    truth = [Word(np.array([float(i % 3)])) for i in range(30)]
    predicted = [Word(np.zeros(1))] * 30
    found = evaluate([str(path)], truth, predicted, Space("Word"))
    assert found.numbers == {"same": pytest.approx(1 / 3)} and found.intervals["same"][0] < 1 / 3 < found.intervals["same"][1]
    with pytest.raises(InputError) as caught:
        evaluate([str(path)], truth, [*predicted[:29], Word(np.array([np.nan]))], Space("Word"))
    assert caught.value.at == 29
    assert evaluate([str(path)], [], [], Space("Word")).numbers == {"same": None}


def test_paired_differences():
    truth, good = labeled(noise=1.0)
    _, poor = labeled(noise=4.0)
    wanted = applicable(SPACE)
    found = paired(wanted, truth, poor, good, SPACE)
    one, other = (evaluate(wanted, truth, p, SPACE, intervals=0).numbers for p in (poor, good))
    for name, (difference, low, high) in found.items():
        if name == "top5_accuracy":
            assert (difference, low, high) == (None, None, None)
            continue
        assert difference == pytest.approx(other[name] - one[name])
        assert low <= high
    assert found["accuracy"][1] > 0 and found["nll"][2] < 0
    same = paired(wanted, truth, good, good, SPACE)
    assert set(same["accuracy"]) == {0.0}


def test_paired_intervals_are_narrower_than_separate_ones():
    truth, a = labeled(noise=2.0)
    b = [Classification.merge([p, t], [0.95, 0.05]) for p, t in zip(a, truth)]
    _, low, high = paired(["accuracy"], truth, a, b, SPACE)["accuracy"]
    assert high - low < 0.5 * np.ptp(evaluate(["accuracy"], truth, a, SPACE).intervals["accuracy"])


def test_paired_takes_each_models_settings():
    truth, predicted = labeled(space=TAGS)
    found = paired(["f1"], truth, predicted, predicted, TAGS, settings={"thresholds": 0.5}, settings_b={"thresholds": 0.99})
    assert found["macro_f1"][2] < 0
    assert paired(["f1"], truth[:1], predicted[:1], predicted[:1], TAGS)["micro_f1"][1:] == (None, None)


def figures_of(name, count, exclusive, n=2000):
    rng = np.random.default_rng(0)
    space = Space("Classification", tuple(f"c{i}" for i in range(count)), exclusive)
    truth = np.eye(count)[rng.integers(0, count, n)]
    predicted = rng.random((n, count))
    return load("metrics", name).figures(truth, predicted, space, {})


def test_figures_stay_small():
    for name, exclusive in (("f1", True), ("confusion", True), ("roc_auc", True), ("average_precision", False), ("thresholds", False)):
        for figure in figures_of(name, 300, exclusive):
            assert figure["kind"] != "matrix"
            assert len(figure.get("rows", [])) <= 50 and len(figure.get("series", [])) <= 10
            assert all(len(line["x"]) == len(line["y"]) <= 200 for line in figure.get("series", []))
            assert len(json.dumps(figure, allow_nan=False)) < 100_000
    truth, predicted = sized(3000)
    found = evaluate(["residuals"], truth, predicted, SIZES, intervals=0).figures
    assert len(found) == 4 and len(found[0]["x"]) == len(found[0]["y"]) == 1000 and sum(found[1]["values"]) == 3000


def test_confusion_figures_say_what_happened():
    truth = [Classification.one_hot(i, 3) for i in (0, 0, 0, 1)]
    predicted = [Classification.one_hot(i, 3) for i in (0, 1, 1, 1)]
    counts, shares, errors = evaluate(["confusion"], truth, predicted, SPACE, intervals=0).figures
    assert counts["values"] == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]
    assert shares["values"][0] == [0.3333, 0.6667, 0.0] and shares["values"][2] == [None, None, None]
    assert errors["rows"] == [["ant", "bee", 2, 0.6667]]


def test_class_table():
    truth = [Classification.one_hot(i, 3) for i in (0, 0, 1)]
    table = evaluate(["f1"], truth, [truth[0], truth[2], truth[2]], SPACE, intervals=0).figures[0]
    assert table["columns"] == ["class", "n", "predicted", "precision", "recall", "f1"]
    assert table["rows"] == [["ant", 2, 1, 1.0, 0.5, 0.6667], ["bee", 1, 2, 0.5, 1.0, 0.6667], ["cat", 0, 0, None, None, None]]

"""The numbers against torchmetrics on larger random data (slow: importing it takes many seconds)."""

import numpy as np
import pytest
import torch

from vidi.core.discovery import load
from vidi.core.space import Space

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def numbers(name, truth, predicted, space):
    return load("metrics", name).numbers(truth, predicted, space, {})


@pytest.mark.parametrize("count", [2, 5, 20])
def test_exclusive_classes(count):
    from torchmetrics.functional import classification as tm

    rng = np.random.default_rng(count)
    index = rng.integers(0, count, 3000)
    logits = rng.normal(size=(3000, count)) + np.eye(count)[index]
    predicted = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float64)
    space, truth = Space("Classification", tuple(map(str, range(count)))), np.eye(count)[index]
    p, y, of = torch.from_numpy(predicted), torch.from_numpy(index), {"num_classes": count}

    found = {key: value for name in ("accuracy", "f1", "roc_auc", "average_precision", "ece", "top5")
             for key, value in numbers(name, truth, predicted, space).items()}
    expected = {
        "accuracy": tm.multiclass_accuracy(p, y, average="micro", **of),
        "balanced_accuracy": tm.multiclass_accuracy(p, y, average="macro", **of),
        "macro_f1": tm.multiclass_f1_score(p, y, average="macro", **of),
        "macro_precision": tm.multiclass_precision(p, y, average="macro", **of),
        "macro_recall": tm.multiclass_recall(p, y, average="macro", **of),
        "roc_auc": tm.multiclass_auroc(p, y, **of),
        "map": tm.multiclass_average_precision(p, y, **of),
        "ece": tm.multiclass_calibration_error(p, y, n_bins=15, **of),
    }
    if count > 5:
        expected["top5_accuracy"] = tm.multiclass_accuracy(p, y, average="micro", top_k=5, **of)
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), abs=1e-6), name


def test_independent_classes():
    from torchmetrics.functional import classification as tm

    rng = np.random.default_rng(0)
    truth = (rng.random((3000, 8)) < np.linspace(0.05, 0.9, 8)).astype(np.float64)
    predicted = 0.4 * truth + 0.6 * rng.random((3000, 8))
    space, of = Space("Classification", tuple("abcdefgh"), exclusive=False), {"num_labels": 8}
    p, y = torch.from_numpy(predicted), torch.from_numpy(truth).long()
    found = {key: value for name in ("f1", "roc_auc", "average_precision", "ece", "multilabel")
             for key, value in numbers(name, truth, predicted, space).items()}
    expected = {
        "macro_f1": tm.multilabel_f1_score(p, y, average="macro", **of),
        "micro_f1": tm.multilabel_f1_score(p, y, average="micro", **of),
        "roc_auc": tm.multilabel_auroc(p, y, **of),
        "map": tm.multilabel_average_precision(p, y, average="macro", **of),
        "micro_map": tm.multilabel_average_precision(p, y, average="micro", **of),
        "hamming_loss": tm.multilabel_hamming_distance(p, y, average="micro", **of),
        "subset_accuracy": tm.multilabel_exact_match(p, y, **of),
        "lrap": tm.multilabel_ranking_average_precision(p, y, **of),
        "ece": tm.binary_calibration_error(p.flatten(), y.flatten(), n_bins=15),
    }
    for name, value in expected.items():
        # torchmetrics sums lrap in float32; test_metrics_numbers has it against scikit-learn
        assert found[name] == pytest.approx(float(value), abs=1e-5 if name == "lrap" else 1e-6), name


def test_values():
    from torchmetrics.functional import regression as tm

    rng = np.random.default_rng(0)
    truth = rng.normal(3, 2, (2000, 3))
    predicted = truth + rng.normal(size=(2000, 3))
    space, p, y = Space("Regression", tuple("abc")), torch.from_numpy(predicted), torch.from_numpy(truth)
    assert numbers("mae", truth, predicted, space)["mae"] == pytest.approx(float(tm.mean_absolute_error(p, y)), abs=1e-6)
    rmse = tm.mean_squared_error(p, y, squared=False, num_outputs=3)
    assert numbers("rmse", truth, predicted, space)["rmse"] == pytest.approx(float(rmse.mean()), abs=1e-6)
    assert numbers("r2", truth, predicted, space)["r2"] == pytest.approx(float(tm.r2_score(p, y)), abs=1e-6)

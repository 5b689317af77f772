"""Heads against torch's and torchvision's losses, the paper's formulas, and the degenerate cases."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Classification, Regression
from vidi.nets.heads import regression, sigmoid, softmax

ONE = Space("Classification", ("a", "b", "c", "d"))
MANY = Space("Classification", ("a", "b", "c", "d"), exclusive=False)
NUMBERS = Space("Regression", ("age", "weight"))


def _classes(rows):
    return [Classification(row) for row in np.asarray(rows, np.float32)]


def _numbers(rows):
    return [Regression(row) for row in np.asarray(rows, np.float32)]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_equals_torch(smoothing):
    logits = torch.randn(6, 4)
    soft = np.random.default_rng(0).dirichlet(np.ones(4), 6)
    head = softmax.head(8, ONE, label_smoothing=smoothing)
    got = head.loss({"logits": logits}, _classes(soft))["cross_entropy"]
    expected = F.cross_entropy(logits, torch.tensor(soft, dtype=torch.float32), reduction="none", label_smoothing=smoothing)
    assert torch.allclose(got, expected, atol=1e-6)
    head.class_weight = torch.tensor([1.0, 2.0, 0.5, 3.0])
    got = head.loss({"logits": logits}, _classes(soft))["cross_entropy"]
    expected = F.cross_entropy(
        logits, torch.tensor(soft, dtype=torch.float32), head.class_weight, reduction="none", label_smoothing=smoothing
    )
    assert torch.allclose(got, expected, atol=1e-6)


def test_softmax_unknown_rows():
    logits = torch.randn(3, 4, requires_grad=True)
    nan = float("nan")
    labels = _classes([[nan] * 4, [nan, nan, 0.5, nan], [nan, 1, nan, nan]])
    loss = softmax.head(8, ONE).loss({"logits": logits}, labels)["cross_entropy"]
    assert loss[0] == 0 and loss[1] == 0
    assert torch.isclose(loss[2], F.cross_entropy(logits[2:], torch.tensor([1])))
    loss.sum().backward()
    assert logits.grad.isfinite().all() and not logits.grad[:2].any()


def test_softmax_bias_is_the_log_share():
    head = softmax.head(8, ONE)
    head.fit_labels(_classes(np.eye(4)[[0] * 60 + [1] * 30 + [2] * 10]))
    with torch.no_grad():
        share = head.linear.bias.softmax(0)
    assert torch.allclose(share, torch.tensor([60.25, 30.25, 10.25, 0.25]) / 101, atol=1e-5)


def test_sigmoid_equals_torch_and_skips_unknown():
    logits, truth = torch.randn(5, 4), torch.randint(0, 2, (5, 4)).float()
    truth[0], truth[1, 2] = float("nan"), float("nan")
    got = sigmoid.head(8, MANY).loss({"logits": logits}, _classes(truth))["bce"]
    cells = F.binary_cross_entropy_with_logits(logits, truth.nan_to_num(), reduction="none")
    known = ~truth.isnan()
    assert got[0] == 0
    assert torch.allclose(got[1:], (cells * known).sum(1)[1:] / known.sum(1)[1:])


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_focal_equals_torchvision(alpha):
    from torchvision.ops import sigmoid_focal_loss

    logits, truth = torch.randn(5, 4) * 3, torch.randint(0, 2, (5, 4)).float()
    expected = sigmoid_focal_loss(logits, truth, alpha=-1 if alpha is None else alpha, gamma=2.0)
    assert torch.allclose(sigmoid.focal(logits, truth, 2.0, alpha), expected, atol=1e-6)


def test_asymmetric_follows_the_paper_and_timm():
    from timm.loss import AsymmetricLossMultiLabel

    logits, truth = torch.randn(5, 4) * 3, torch.randint(0, 2, (5, 4)).float()
    mine = sigmoid.asymmetric(logits, truth, 1.0, 4.0, 0.05)
    theirs = AsymmetricLossMultiLabel(gamma_neg=4, gamma_pos=1, clip=0.05, disable_torch_grad_focal_loss=True)(logits, truth)
    assert torch.allclose(mine.sum() / 5, theirs, rtol=1e-5)
    p = logits.sigmoid()
    m = (p - 0.05).clamp_min(0)
    formula = torch.where(truth == 1, -(1 - p) * p.log(), -(m**4) * (1 - m).log())
    assert torch.allclose(mine, formula, atol=1e-5)


@pytest.mark.parametrize("loss", sigmoid.LOSSES)
def test_sigmoid_losses_at_extremes(loss):
    logits = torch.tensor([[1e4, -1e4, 60.0, -60.0]], requires_grad=True)
    part = sigmoid.head(8, MANY, loss=loss).loss({"logits": logits}, _classes([[0, 1, 1, 0]]))[loss]
    part.sum().backward()
    assert part.isfinite().all() and logits.grad.isfinite().all()


def test_sigmoid_prior():
    head = sigmoid.head(8, MANY)
    nan = float("nan")
    head.fit_labels(_classes([[1, 0, nan, 0]] * 9 + [[0, 0, nan, 1]]))
    assert torch.allclose(head.linear.bias.sigmoid(), torch.tensor([9.5 / 11, 0.5 / 11, 0.5, 1.5 / 11]))


@pytest.mark.parametrize(
    "loss, reference",
    [("l1", F.l1_loss), ("l2", F.mse_loss), ("huber", F.huber_loss)],
)
def test_regression_in_standard_units(loss, reference):
    truth = np.random.default_rng(0).normal([40, 7000], [10, 900], (50, 2))
    head = regression.head(8, NUMBERS, loss=loss)
    head.fit_labels(_numbers(truth))
    raw = head(torch.randn(50, 8))
    assert abs(raw["values"][:, 1].mean().item() - 7000) < 900
    z = lambda v: (v - truth.mean(0)) / truth.std(0)  # noqa: E731
    expected = reference(torch.tensor(z(raw["values"].detach().numpy())), torch.tensor(z(truth)), reduction="none").mean(1)
    assert torch.allclose(head.loss(raw, _numbers(truth))[loss].double(), expected, atol=1e-4)
    label = head.decode(raw)[3]
    assert label.std is None and np.allclose(label.values, raw["values"][3].detach())


def test_gaussian_equals_torch_and_gives_std():
    truth = np.random.default_rng(0).normal([40, 7000], [10, 900], (50, 2)).astype(np.float32)
    head = regression.head(8, NUMBERS, loss="gaussian", beta=0.0)
    head.fit_labels(_numbers(truth))
    raw = head(torch.randn(50, 8))
    got = head.loss(raw, _numbers(truth))["gaussian"]
    variance = raw["log_variance"].exp()
    nll = F.gaussian_nll_loss(raw["values"], torch.tensor(truth), variance, reduction="none") - head.scale.log()
    assert torch.allclose(got, nll.mean(1), atol=1e-4)
    assert np.allclose(head.decode(raw)[0].std, variance[0].detach().sqrt(), rtol=1e-5)


def test_gaussian_finds_the_noise():
    torch.manual_seed(0)
    x = torch.rand(600, 1) * 2 - 1
    noise = torch.where(x > 0, 4.0, 1.0)
    truth = _numbers(100 + 20 * x + noise * torch.randn_like(x))
    head = regression.head(2, Space("Regression", ("y",)), loss="gaussian")
    head.fit_labels(truth)
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    features = torch.cat([x, (x > 0).float()], 1)
    for _ in range(600):
        optimizer.zero_grad()
        head.loss(head(features), truth)["gaussian"].mean().backward()
        optimizer.step()
    found = head.decode(head(torch.tensor([[-0.5, 0.0], [0.5, 1.0]])))
    assert abs(found[0].values[0] - 90) < 0.5 and abs(found[1].values[0] - 110) < 1.0
    assert 0.8 < found[0].std[0] < 1.3 and 3.4 < found[1].std[0] < 4.6


@pytest.mark.parametrize("loss", regression.LOSSES)
def test_regression_extremes(loss):
    head = regression.head(4, NUMBERS, loss=loss)
    nan = float("nan")
    head.fit_labels(_numbers([[5, nan], [5, nan]]))
    assert head.center.tolist() == [5, 0] and head.scale.tolist() == [1, 1]
    head.fit_labels([])
    features = (torch.ones(3, 4) * 1e4).requires_grad_()
    raw = head(features)
    part = head.loss(raw, _numbers([[5, nan], [nan, nan], [1e6, 2]]))[loss]
    assert part.isfinite().all() and part[1] == 0
    part.sum().backward()
    assert features.grad.isfinite().all()
    assert all(np.isfinite(label.values).all() for label in head.decode(raw))


def test_unknown_losses_are_refused():
    with pytest.raises(RecipeError, match="bce"):
        sigmoid.head(4, MANY, loss="hinge")
    with pytest.raises(RecipeError, match="huber"):
        regression.head(4, NUMBERS, loss="l3")

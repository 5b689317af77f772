"""Losses of detectors: nothing in, nothing out; equal to torchvision's; finite gradients for boxes without area."""

import numpy as np
import pytest
import torch
import torchvision.ops as oracle

from vidi.ops.box_loss import (
    BOX_LOSSES,
    box_iou,
    distribution_focal_loss,
    focal_loss,
    quality_focal_loss,
    smooth_l1_loss,
    varifocal_loss,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


DEGENERATE = torch.tensor(
    [[5, 5, 5, 5], [5, 5, 9, 5], [9, 9, 2, 2], [0, 0, 1e-6, 1e-6], [0, 0, 1, 1], [0, 0, 1e6, 1e6], [-50, -50, -40, -40]]
)


def _boxes(count, seed):
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=random) * 50
    return torch.cat([low, low + 1 + torch.rand(count, 2, generator=random) * 40], 1)


@pytest.mark.parametrize("name", sorted(BOX_LOSSES))
def test_no_boxes(name):
    assert BOX_LOSSES[name](torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)


@pytest.mark.parametrize("name", sorted(BOX_LOSSES))
def test_equal_boxes_cost_nothing_and_each_loss_is_at_least_the_iou_loss(name):
    a, b = _boxes(200, 0), _boxes(200, 1)
    loss = BOX_LOSSES[name]
    assert loss(a, a).abs().max() < 1e-5
    assert (loss(a, b) >= BOX_LOSSES["iou"](a, b) - 1e-5).all()
    assert loss(a.half(), b.half()).dtype == torch.float32 and loss(a.double(), b.double()).dtype == torch.float64


@pytest.mark.parametrize(
    "name, theirs",
    [
        ("giou", oracle.generalized_box_iou_loss),
        ("diou", oracle.distance_box_iou_loss),
        ("ciou", oracle.complete_box_iou_loss),
    ],
)
def test_equal_to_torchvision(name, theirs):
    a, b = _boxes(300, 2).double().requires_grad_(), _boxes(300, 3).double()
    ours, other = BOX_LOSSES[name](a, b), theirs(a, b)
    assert torch.allclose(ours, other, atol=1e-6)
    gradients = [torch.autograd.grad(value.sum(), a)[0] for value in (ours, other)]
    assert torch.allclose(*gradients, atol=1e-6)
    assert torch.allclose(box_iou(a, b), oracle.box_iou(a, b).diagonal(), atol=1e-7)


@pytest.mark.parametrize("name", sorted(BOX_LOSSES))
def test_gradients_are_finite_for_degenerate_boxes(name):
    pairs = torch.cartesian_prod(torch.arange(len(DEGENERATE)), torch.arange(len(DEGENERATE)))
    a, b = DEGENERATE[pairs[:, 0]].requires_grad_(), DEGENERATE[pairs[:, 1]]
    loss = BOX_LOSSES[name](a, b)
    loss.sum().backward()
    assert loss.isfinite().all() and a.grad.isfinite().all() and (loss > -1e-5).all()


def test_focal_equals_torchvision():
    logits, targets = torch.randn(50, 7) * 4, (torch.rand(50, 7) > 0.7).float()
    for alpha, gamma in ((0.25, 2.0), (-1, 1.5), (0.6, 0.0)):
        theirs = oracle.sigmoid_focal_loss(logits, targets, alpha, gamma)
        assert torch.allclose(focal_loss(logits, targets, alpha, gamma), theirs, atol=1e-6)


def test_soft_targets():
    logits, targets = torch.randn(60) * 3, torch.rand(60) * (torch.rand(60) > 0.5)
    p, t = logits.sigmoid().double().numpy(), targets.double().numpy()
    cross = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    assert np.allclose(quality_focal_loss(logits, targets).numpy(), np.abs(t - p) ** 2 * cross, atol=1e-5)
    weight = np.where(t > 0, t, 0.75 * p**2)
    assert np.allclose(varifocal_loss(logits, targets).numpy(), weight * cross, atol=1e-5)
    at_target = torch.logit(torch.tensor([0.2, 0.7]))
    assert quality_focal_loss(at_target, torch.tensor([0.2, 0.7])).max() < 1e-9


@pytest.mark.parametrize("loss", [focal_loss, quality_focal_loss, varifocal_loss])
def test_scores_far_out_stay_finite(loss):
    logits = torch.tensor([-1e4, -80, 0, 80, 1e4]).repeat(2).requires_grad_()
    value = loss(logits, torch.tensor([0.0] * 5 + [1.0] * 5))
    value.sum().backward()
    assert value.isfinite().all() and logits.grad.isfinite().all()
    assert loss(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 3)


def test_distribution_focal_loss():
    assert distribution_focal_loss(torch.zeros(0, 4, 16), torch.zeros(0, 4)).shape == (0, 4)
    logits = torch.randn(5, 8)
    targets = torch.tensor([0.0, 2.25, 6.999, 40.0, -3.0])
    logs = logits.log_softmax(1)
    ours = distribution_focal_loss(logits, targets)
    assert ours[0] == pytest.approx(-float(logs[0, 0]), abs=1e-5)
    assert ours[1] == pytest.approx(-float(0.75 * logs[1, 2] + 0.25 * logs[1, 3]), abs=1e-5)
    assert ours[3] == pytest.approx(-float(logs[3, 7]), abs=2e-2) and ours[4] == pytest.approx(-float(logs[4, 0]), abs=1e-5)
    free = torch.zeros(1, 8, requires_grad=True)
    optimizer = torch.optim.Adam([free], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        distribution_focal_loss(free, torch.tensor([4.3])).sum().backward()
        optimizer.step()
    assert float((free.detach().softmax(1) * torch.arange(8)).sum()) == pytest.approx(4.3, abs=0.05)


def test_smooth_l1():
    values = torch.tensor([0.0, 0.5, -3.0])
    assert torch.allclose(smooth_l1_loss(values, torch.zeros(3)), torch.tensor([0.0, 0.125, 2.5]))
    assert torch.allclose(smooth_l1_loss(values, torch.zeros(3), beta=0.0), values.abs())

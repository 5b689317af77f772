"""Losses of class maps equal loops and published formulas, and unknown pixels have no say."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vidi.ops import pixel_loss as ops

B, C, H, W = 5, 4, 9, 11


@pytest.fixture
def case():
    """Logits and truth with unknown pixels; picture 0 knows nothing, picture 1 has one class, the last class is nowhere."""
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(B, C, H, W, generator=random, dtype=torch.float64)
    truth = torch.randint(-1, C - 1, (B, H, W), generator=random)
    truth[0], truth[1] = -1, 2
    return logits, truth


def known_pixels(logits, truth, b):
    """(P, C) probabilities and (P,) classes of the known pixels of a picture."""
    keep = truth[b] >= 0
    return logits[b].softmax(0).permute(1, 2, 0)[keep], truth[b][keep]


def close(found, expected):
    torch.testing.assert_close(found.double(), torch.as_tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-8)


def test_nothing_known_costs_nothing():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    truth = torch.full((2, 4, 4), -1)
    logs = logits.log_softmax(1)
    chances, values = logs.exp(), ops.cross_entropy(logs, truth)
    index, present = ops.tversky_index(chances, truth)
    parts = [ops.picture_mean(values, truth), ops.picture_mean(ops.focal(logs, truth), truth), ops.hardest(values, truth, 0.7, 0.1),
             ops.class_mean(1 - index, present), ops.lovasz_softmax(chances, truth), ops.boundary(chances, truth, torch.ones(2, 3, 4, 4))]  # fmt: skip
    torch.stack(parts).sum().backward()
    assert all(bool((part == 0).all()) for part in parts)
    assert not logits.grad.any()


def test_cross_entropy_and_focal(case):
    logits, truth = case
    weights = torch.tensor([0.5, 1.0, 2.0, 7.0], dtype=torch.float64)
    plain = ops.picture_mean(ops.cross_entropy(logits.log_softmax(1), truth, weights), truth)
    focal = ops.picture_mean(ops.focal(logits.log_softmax(1), truth, 2.0, weights), truth)
    for b in range(1, B):
        chances, classes = known_pixels(logits, truth, b)
        right = chances[torch.arange(len(classes)), classes]
        close(plain[b], (-right.log() * weights[classes]).mean())
        close(focal[b], (-right.log() * weights[classes] * (1 - right) ** 2).mean())


@pytest.mark.parametrize("threshold, least", [(0.7, 0.0), (0.01, 0.3), (1.0, 0.0), (0.3, 0.5)])
def test_hardest_keeps_the_hard_or_the_least(case, threshold, least):
    logits, truth = case
    found = ops.hardest(ops.cross_entropy(logits.log_softmax(1), truth), truth, threshold, least)
    for b in range(1, B):
        chances, classes = known_pixels(logits, truth, b)
        costs = sorted((-chances[torch.arange(len(classes)), classes].log()).tolist(), reverse=True)
        hard = [cost for cost in costs if math.exp(-cost) <= threshold]
        close(found[b], np.mean(max(hard, costs[: max(1, math.ceil(least * len(costs)))], key=len)))


@pytest.mark.parametrize("wrong, missed, smooth", [(0.5, 0.5, 0.5), (0.3, 0.7, 1.0), (1.0, 1.0, 0.0)])
def test_tversky(case, wrong, missed, smooth):
    logits, truth = case
    index, present = ops.tversky_index(logits.softmax(1), truth, wrong, missed, smooth)
    for b in range(B):
        chances, classes = known_pixels(logits, truth, b)
        for c in range(C):
            mine = classes == c
            assert bool(present[b, c]) == bool(mine.any())
            both, over, under = chances[mine, c].sum(), chances[~mine, c].sum(), (1 - chances[mine, c]).sum()
            if mine.any():
                close(index[b, c], (both + smooth) / (both + wrong * over + missed * under + smooth))


def published_lovasz(chances, classes):
    """Berman et al. 2018, algorithm 1, class by class over (P, C) and (P,)."""
    losses = []
    for c in classes.unique():
        truth = (classes == c).double()
        errors = (truth - chances[:, c]).abs()
        order = errors.argsort(descending=True)
        sorted_truth = truth[order]
        values = []
        for i in range(1, len(truth) + 1):
            flipped = sorted_truth[:i]  # the i worst pixels are wrong
            intersection = truth.sum() - flipped.sum()
            union = truth.sum() + (1 - flipped).sum()
            values.append(1 - intersection / union)
        gradient = torch.stack([values[0], *(after - before for before, after in zip(values, values[1:]))])
        losses.append((errors[order] * gradient).sum())
    return torch.stack(losses).mean()


def test_lovasz_is_the_published_one(case):
    logits, truth = case
    found = ops.lovasz_softmax(logits.softmax(1), truth)
    for b in range(1, B):
        torch.testing.assert_close(found[b], published_lovasz(*known_pixels(logits, truth, b)), rtol=1e-5, atol=1e-6)


def test_lovasz_of_hard_decisions_is_one_minus_iou():
    truth = torch.randint(0, 3, (1, 8, 8), generator=torch.Generator().manual_seed(0))
    guess = torch.randint(0, 3, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    chances = F.one_hot(guess, 3).permute(0, 3, 1, 2).float()
    expected = np.mean([1 - ((truth == c) & (guess == c)).sum() / ((truth == c) | (guess == c)).sum() for c in range(3)])
    assert float(ops.lovasz_softmax(chances, truth)) == pytest.approx(float(expected), abs=1e-6)


def test_signed_distances_by_brute_force():
    random = np.random.default_rng(0)
    classes = random.integers(-1, 2, (7, 9))
    found = ops.signed_distances(classes, 3)
    places = np.stack(np.meshgrid(np.arange(7), np.arange(9), indexing="ij"), -1).reshape(-1, 2)
    for c in range(2):
        inside = (classes == c).ravel()
        for k, place in enumerate(places):
            away = np.hypot(*(places - place).T)
            expected = -(away[~inside].min() - 1) if inside[k] else away[inside].min()
            assert found[c].ravel()[k] * math.hypot(7, 9) == pytest.approx(expected, abs=1e-5)
    assert not found[2].any()


@pytest.mark.parametrize("fill", [-1, 0])
def test_maps_without_a_border_have_no_distances(fill):
    assert not ops.signed_distances(np.full((5, 5), fill), 2).any()


def test_boundary_prefers_mass_inside():
    classes = np.zeros((16, 16), np.int64)
    classes[4:12, 4:12] = 1
    truth, distances = torch.from_numpy(classes)[None], torch.from_numpy(ops.signed_distances(classes, 2))[None]
    right = F.one_hot(truth, 2).permute(0, 3, 1, 2).float()
    shifted = right.roll(4, 3)
    costs = [float(ops.boundary(one, truth, distances)) for one in (right, (right + shifted) / 2, shifted)]
    assert costs == sorted(costs)
    assert costs[0] < 0


def test_gradients(case):
    logits, truth = case
    logits = logits[:, :, :4, :4].clone().requires_grad_()
    truth = truth[:, :4, :4]
    distances = torch.randn(B, C, 4, 4, dtype=torch.float64)

    def total(x):
        logs = x.log_softmax(1)
        index, present = ops.tversky_index(logs.exp(), truth, 0.3, 0.7)
        return (ops.picture_mean(ops.focal(logs, truth), truth) + ops.class_mean(1 - index, present)
                + ops.boundary(logs.exp(), truth, distances))  # fmt: skip

    assert torch.autograd.gradcheck(total, logits)


@pytest.mark.parametrize("scale", [0.0, 1e3, -1e3])
def test_extreme_logits_stay_finite(scale):
    truth = torch.randint(-1, 3, (3, 6, 6), generator=torch.Generator().manual_seed(0))
    logits = (torch.randn(3, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * scale).requires_grad_()
    logs = logits.log_softmax(1)
    index, present = ops.tversky_index(logs.exp(), truth, smooth=0.0)
    total = (ops.picture_mean(ops.focal(logs, truth, 0.5), truth) + ops.class_mean(1 - index, present) + ops.lovasz_softmax(logs.exp(), truth)
             + ops.hardest(ops.cross_entropy(logs, truth), truth, 0.7, 0.1)).sum()  # fmt: skip
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()

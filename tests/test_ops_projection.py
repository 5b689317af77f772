"""Norms, projections, steepest directions and 8-bit pictures inside a ball, against slow references."""

import numpy as np
import pytest
import torch

from vidi.ops.projection import NORMS, exceeds, levels_within, project, sizes, steepest, to_levels

ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


def rows(count=6, shape=(3, 4, 5), scale=1.0, seed=0):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("norm", NORMS)
def test_no_samples(norm):
    none = torch.zeros(0, 3, 4, 4)
    assert sizes(none, norm).shape == (0,) and project(none, norm, 1.0).shape == none.shape and steepest(none, norm).shape == none.shape
    levels = none.to(torch.uint8)
    assert to_levels(none, levels, norm, 0.1).shape == none.shape and exceeds(levels, levels, norm, 0.1).shape == (0,)


@pytest.mark.parametrize("norm", NORMS)
def test_sizes_are_numpys(norm):
    change = rows()
    expected = [np.linalg.norm(row.flatten().numpy().astype(np.float64), ORDERS[norm]) for row in change]
    np.testing.assert_allclose(sizes(change, norm), expected, rtol=1e-5)


def test_unknown_norms():
    for call in (lambda: sizes(rows(), "l3"), lambda: project(rows(), "l3", 1.0), lambda: steepest(rows(), "l3")):
        with pytest.raises(ValueError, match="l3"):
            call()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [0.0, 0.3, 4.0, 1e4])
def test_projections_are_the_nearest_points(norm, size):
    change = rows(4)
    found = project(change, norm, size)
    assert (sizes(found, norm) <= size * (1 + 1e-5) + 1e-7).all()
    for before, after in zip(change.double().flatten(1).numpy(), found.double().flatten(1).numpy()):
        np.testing.assert_allclose(after, nearest(before, norm, size), atol=1e-5)


def nearest(change, norm, size):
    """The projection of one row: by definition, or by bisection on the threshold."""
    if np.linalg.norm(change, ORDERS[norm]) <= size:
        return change
    if norm == "linf":
        return np.clip(change, -size, size)
    if norm == "l2":
        return change / np.linalg.norm(change) * size
    low, high = 0.0, np.abs(change).max()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(np.abs(change) - middle, 0).sum() > size else (low, middle)
    return np.sign(change) * np.maximum(np.abs(change) - high, 0)


def test_l1_projection_with_ties_and_zeros():
    change = torch.tensor([[3.0, 3.0, -3.0, 0.0], [0.0, 0.0, 0.0, 0.0], [5.0, 0.0, 0.0, 0.0]])
    expected = torch.tensor([[1.0, 1.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(project(change, "l1", 3.0), expected)


def test_steepest_directions_have_length_one_and_rise_fastest():
    gradient = rows(5)
    for norm, dual in (("linf", "l1"), ("l2", "l2")):
        direction = steepest(gradient, norm)
        torch.testing.assert_close(sizes(direction, norm), torch.ones(5))
        torch.testing.assert_close((direction * gradient).sum((1, 2, 3)), sizes(gradient, dual))
    sparse = steepest(gradient, "l1")
    torch.testing.assert_close(sizes(sparse, "l1"), torch.ones(5))
    assert ((sparse != 0).sum((1, 2, 3)) == 1).all() and (sparse.flatten(1).abs().argmax(1) == gradient.flatten(1).abs().argmax(1)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_steepest_of_tiny_and_zero_gradients(norm):
    tiny = rows(2) * 1e-30
    assert torch.isfinite(steepest(tiny, norm)).all() and (sizes(steepest(tiny, norm), norm) > 0.99).all()
    assert not steepest(torch.zeros(2, 3, 4, 4), norm).any()


def test_l1_steps_pass_over_values_at_the_border():
    gradient, images = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5)
    gradient[0, 0, 0, 0], gradient[0, 0, 1, 1], images[0, 0, 0, 0] = 5.0, -1.0, 1.0
    assert steepest(gradient, "l1", images)[0, 0].tolist() == [[0.0, 0.0], [0.0, -1.0]]


@pytest.mark.parametrize("norm, size", [("linf", 8 / 255), ("linf", 0.029), ("l2", 0.5), ("l2", 0.02), ("l1", 9.0)])
def test_eight_bits_stay_inside(norm, size):
    clean = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 3, 12, 12), np.uint8))
    images = (clean / 255 + project(rows(8, (3, 12, 12), 0.3), norm, size)).clamp(0, 1)
    levels = to_levels(images, clean, norm, size)
    assert levels.dtype == torch.uint8 and not exceeds(levels, clean, norm, size).any()
    kept = sizes(levels.double() - clean.double(), norm) / 255
    assert (kept > 0.8 * size - 1 / 255).all(), "most of the budget is used"


def test_rounding_alone_may_leave_the_ball():
    clean, size = torch.zeros(1, 1, 1, 2, dtype=torch.uint8), 1.7 / 255
    images = torch.tensor([[[[1.7 / 255, 0.0]]]])
    assert exceeds(to_levels(images, clean), clean, "linf", size).all()
    assert to_levels(images, clean, "linf", size).flatten().tolist() == [1, 0] and levels_within(size) == 1
    assert to_levels(images, clean, "l2", size).flatten().tolist() == [1, 0]


def test_levels_of_a_budget_are_counted_exactly():
    for level in range(256):
        assert levels_within(level / 255) == level
    assert levels_within(0.1) == 25 and levels_within(0.0) == 0

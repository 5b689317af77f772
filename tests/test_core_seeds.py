"""Random numbers that belong to samples: their distribution, and what they do not depend on."""

import numpy as np
import pytest
import torch
from scipy import stats

from vidi.core.seeds import _GOLDEN, Draw, _mix, permutation, sample_keys, seed_everything

PINNED_KEYS = [2558736989570252433, -533072482827883436]
PINNED_BITS = [[2003531519112860791, 5073758005065537240]]


def draw(count=2000, seed=0, epoch=0):
    return Draw(sample_keys(seed, epoch, np.arange(count)))


def test_no_samples():
    empty = draw(0)
    assert empty.uniform().shape == (0,) and empty.normal(3).shape == (0, 3) and empty.child("a").bits(2, 2).shape == (0, 2, 2)
    assert draw(3).uniform(0, 1, 0).shape == (3, 0)


@pytest.mark.parametrize("across", ["samples", "one sample", "epochs", "calls", "seeds"])
def test_uniform_numbers_are_uniform_and_uncorrelated(across):
    values = {
        "samples": lambda: draw(20000).uniform(),
        "one sample": lambda: draw(1).uniform(0, 1, 20000)[0],
        "epochs": lambda: torch.stack([draw(1, epoch=e).uniform()[0] for e in range(2000)]),
        "calls": lambda: (lambda d: torch.stack([d.uniform()[0] for _ in range(2000)]))(draw(1)),
        "seeds": lambda: torch.stack([draw(1, seed=s).uniform()[0] for s in range(2000)]),
    }[across]().numpy()
    assert values.min() >= 0 and values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.histogram(values, 64, (0, 1))[0]).pvalue > 1e-3
    for lag in (1, 2, 7):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 4 / np.sqrt(len(values))


def test_every_bit_is_fair():
    bits = draw(4000).bits(4).flatten().numpy().view(np.uint64)
    ones = np.array([((bits >> np.uint64(i)) & np.uint64(1)).mean() for i in range(64)])
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(len(bits))
    assert len(np.unique(bits)) == len(bits)


def test_neighboring_samples_draw_independent_rows():
    rows = draw(400).uniform(0, 1, 200).numpy()
    correlations = np.corrcoef(rows)[np.triu_indices(400, 1)]
    assert np.abs(correlations).max() < 6 / np.sqrt(200) and abs(correlations.mean()) < 1e-3


def test_normal_integers_and_chance():
    assert stats.kstest(draw(20000, seed=1).normal().numpy(), "norm").pvalue > 1e-3
    assert torch.isfinite(draw(10000).normal(20)).all()
    integers = draw(21000, seed=2).integers(7)
    assert integers.dtype == torch.int64 and stats.chisquare(np.bincount(integers.numpy(), minlength=7)).pvalue > 1e-3
    assert not draw(100).chance(0.0).any() and draw(100).chance(1.0).all()
    assert abs(draw(20000).chance(0.3).float().mean() - 0.3) < 0.015
    scaled = draw(5000).uniform(-2, 3)
    assert scaled.min() >= -2 and scaled.max() < 3 and abs(scaled.mean() - 0.5) < 0.1


def test_a_sample_draws_the_same_in_any_batch():
    whole = Draw(sample_keys(3, 1, np.arange(50)))
    picked = np.array([41, 7, 7, 0])
    part = Draw(sample_keys(3, 1, picked))
    for shape in ((), (3,), (2, 4)):
        assert torch.equal(whole.uniform(0, 1, *shape)[picked], part.uniform(0, 1, *shape))
    assert torch.equal(whole.child("flip").bits(2)[picked], part.child("flip").bits(2))


def test_calls_children_epochs_and_seeds_differ():
    one = draw(100)
    first, second = one.uniform(), one.uniform()
    assert not torch.equal(first, second) and torch.equal(first, draw(100).uniform())
    child, other = draw(100).child("crop"), draw(100).child("flip")
    streams = [
        first,
        child.uniform(),
        other.uniform(),
        draw(100, epoch=1).uniform(),
        draw(100, seed=1).uniform(),
        draw(100).child("crop").child("crop").uniform(),
    ]
    for i, a in enumerate(streams):
        for b in streams[:i]:
            assert abs(np.corrcoef(a.numpy(), b.numpy())[0, 1]) < 0.5 and not torch.equal(a, b)


def test_a_child_does_not_depend_on_earlier_calls():
    used = draw(10)
    used.uniform(0, 1, 5)
    used.child("other").uniform()
    assert torch.equal(used.child("crop").uniform(), draw(10).child("crop").uniform())


def test_moving_to_a_device_continues_the_stream():
    here = draw(10)
    here.uniform()
    there = here.to("cpu")
    assert torch.equal(here.uniform(), there.uniform())


def test_the_mixer_is_splitmix64():
    """The published first outputs of SplitMix64 for seed 0."""
    state = torch.arange(3, dtype=torch.int64) * _GOLDEN
    assert [value % 2**64 for value in _mix(state).tolist()] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_numbers_are_pinned():
    """A change of these numbers changes every augmented picture and breaks the resuming of older runs."""
    assert sample_keys(0, 0, np.array([0, 1])).tolist() == PINNED_KEYS
    assert Draw(sample_keys(0, 0, np.array([0]))).bits(2).tolist() == PINNED_BITS


def test_permutation():
    assert permutation(0, 0, 0).tolist() == [] and permutation(1, 0, 0).tolist() == [0]
    order = permutation(1000, 5, 2)
    assert order.dtype == np.int64 and np.array_equal(np.sort(order), np.arange(1000))
    assert np.array_equal(order, permutation(1000, 5, 2))
    for other in (permutation(1000, 5, 3), permutation(1000, 6, 2), permutation(1000, 2, 5)):
        assert (order == other).sum() < 10
    firsts = np.array([permutation(8, 0, epoch)[0] for epoch in range(2000)])
    assert stats.chisquare(np.bincount(firsts, minlength=8)).pvalue > 1e-3


def test_seed_everything_takes_any_seed():
    for seed in (0, 2**40):
        seed_everything(seed)
        first = torch.rand(3), np.random.rand(3)
        seed_everything(seed)
        assert torch.equal(first[0], torch.rand(3)) and np.array_equal(first[1], np.random.rand(3))

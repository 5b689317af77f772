"""In which order an epoch visits the samples: pure functions of the data, the run's seed and the epoch."""

from __future__ import annotations

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.seeds import permutation

MODES = ("sqrt", "equal")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def class_presence(data: Dataset) -> np.ndarray:
    """(n, C) bool: which classes each sample's label shows, for labels of any family with classes; none where there is no label."""
    count = len(data.space) if data.space is not None else 0
    rows = [np.zeros(count, bool) if label is None else label.presence(count) for label in data.labels]
    return np.stack(rows) if rows else np.zeros((0, count), bool)


def sequential(n: int) -> np.ndarray:
    """0, 1, …, n − 1 as (n,) int64."""
    return np.arange(_count(n), dtype=np.int64)


def shuffled(n: int, seed: int, epoch: int) -> np.ndarray:
    """Every sample once, in random order, (n,) int64."""
    return permutation(_count(n), seed, _epoch(epoch)).astype(np.int64, copy=False)


def balanced(class_of: np.ndarray, mode: str = "sqrt", seed: int = 0, epoch: int = 0) -> np.ndarray:
    """An order in which rare classes come more often than they are, (n,) int64.

    Args:
        class_of: (n,) integer class of each sample; negative: not known, such samples are left out and others take their turns.
            Or (n, C), several labels per sample: positive where the class is present (0, False and NaN where not); a sample then
            comes as often as its rarest class asks for, as in repeat-factor sampling (Gupta et al. 2019).
        mode: ``equal`` gives each class the same share; ``sqrt`` a share that grows with the square root of its count.

    Samples of a class are cycled: none comes again before all others of its class came, over the bounds of epochs too
    (with several labels: as evenly as its share can be rounded within the epoch).
    """
    if mode not in MODES:
        raise ValueError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
    classes, epoch = np.asarray(class_of), _epoch(epoch)
    if classes.size == 0:
        return np.zeros(0, np.int64)
    if classes.ndim == 2:
        return _spread(_class_factors(classes, mode), len(classes), seed, epoch)
    if classes.ndim != 1 or classes.dtype.kind not in "iub":
        raise ValueError(f"class_of: expected (n,) integers or (n, C), got {classes.shape} {classes.dtype}")
    known = np.flatnonzero(classes >= 0)
    if len(known) == 0:
        raise ValueError("class_of: no sample has a known class")
    names, member_of, counts = np.unique(classes[known], return_inverse=True, return_counts=True)
    quotas = _quotas(counts, len(classes), mode)
    grouped = known[np.argsort(member_of, kind="stable")]
    ends = np.cumsum(counts)
    parts = [
        grouped[end - count : end][_cycled(int(count), int(quota), epoch, seed, int(name))]
        for name, count, quota, end in zip(names, counts, quotas, ends)
    ]
    return np.concatenate(parts)[permutation(len(classes), seed, epoch)]


def m_per_class(class_of: np.ndarray, m: int, batch: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    """An order whose batches hold m samples of each of batch / m classes, (steps · batch,) int64 with as many steps as there are batches in
    the data, rounded, at least one.

    All classes come equally often, none again before all others came, and none twice in a batch unless there are fewer than batch / m.
    A class is gone through in random order before it starts anew, over the bounds of epochs too; a remainder of fewer than m sits out, so that
    the m are different ones where the class has as many.

    Args:
        class_of: (n,) integer class of each sample; negative: not known, such samples are left out.
        m: samples of a class that stand together, at least 1.
        batch: samples per batch, a multiple of m.
    """
    classes, epoch = np.asarray(class_of), _epoch(epoch)
    if classes.ndim != 1 or classes.dtype.kind not in "iub":
        raise ValueError(f"class_of: expected (n,) integers, got {classes.shape} {classes.dtype}")
    if m < 1 or batch < m or batch % m:
        raise ValueError(f"batch: expected a multiple of m = {m}, got {batch}")
    if classes.size == 0:
        return np.zeros(0, np.int64)
    known = np.flatnonzero(classes >= 0)
    if len(known) == 0:
        raise ValueError("class_of: no sample has a known class")
    names, member_of, counts = np.unique(classes[known], return_inverse=True, return_counts=True)
    turns = _turns(len(names), batch // m, max(1, round(len(known) / batch)), seed, epoch)
    most = -(-len(turns) // len(names)) + 1  # how often a class comes at most
    grouped = known[np.argsort(member_of, kind="stable")]
    places = np.split(np.argsort(turns, kind="stable"), np.cumsum(np.bincount(turns, minlength=len(names)))[:-1])
    order = np.empty((len(turns), m), np.int64)
    for name, count, end, own in zip(names, counts, np.cumsum(counts), places):
        order[own] = grouped[end - count : end][_in_groups(int(count), m, epoch * most + np.arange(len(own)), seed, int(name))]
    return order.ravel()


def grouped_batch(count: int, batch: int, m: int) -> int:
    """The batch size for `m_per_class`: the largest multiple of m up to `batch` and `count`, of two classes at least."""
    return max(2 * m, min(batch, count) // m * m)


def _in_groups(count: int, m: int, visits: np.ndarray, seed: int, name: int) -> np.ndarray:
    """Places (V, m) in 0..count − 1 for the given visits, counted from 0, to a class."""
    cycle, at = np.divmod(visits, max(1, count // m))
    cycles, which = np.unique(cycle, return_inverse=True)
    keys = _uniform(seed, name, cycles[:, None], np.arange(count)[None, :])
    walks = np.tile(np.argsort(keys, axis=1, kind="stable"), (1, -(-m // count)))
    return walks[which[:, None], (at * m)[:, None] + np.arange(m)]


def _turns(classes: int, groups: int, steps: int, seed: int, epoch: int) -> np.ndarray:
    """Which class each group of an epoch has, (steps · groups,): permutations in a row, in which classes that are in the batch already
    step back until the next one."""
    turns: list[int] = []
    pending: list[int] = []
    cycle = 0
    for _ in range(steps):
        taken: list[int] = []
        while len(taken) < groups:
            fresh = next((k for k in pending if k not in taken), None)
            if fresh is None and (len(taken) < classes or not pending):
                pending += np.argsort(_uniform(seed, epoch, cycle, np.arange(classes)), kind="stable").tolist()
                cycle += 1
                continue
            taken.append(pending[0] if fresh is None else fresh)
            pending.remove(taken[-1])
        turns += taken
    return np.array(turns, np.int64)


def repeat_factor(
    present: np.ndarray, threshold: float = 0.001, seed: int = 0, epoch: int = 0, *, even: bool = False
) -> np.ndarray:
    """Repeat-factor sampling of LVIS (Gupta, Dollár, Girshick 2019): an order at least as long as the data, (m,) int64.

    A class present in a share f of the samples asks for max(1, sqrt(threshold / f)) repeats; a sample follows its most asking
    class. Fractions are rounded up or down at random, so their mean over epochs is exact.

    Args:
        present: (n, C), positive where a class is present in a sample.
        threshold: the share below which a class counts as rare, over 0 and at most 1.
        even: make every epoch as long as the factors' sum, rounded, so that the number of steps stays the same.
    """
    present = np.asarray(present)
    if present.ndim != 2:
        raise ValueError(f"present: expected (n, C), got {present.shape}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold: expected a share over 0 and at most 1, got {threshold}")
    epoch = _epoch(epoch)
    if len(present) == 0:
        return np.zeros(0, np.int64)
    there = np.nan_to_num(present.astype(np.float64), nan=0.0) > 0
    share = there.mean(0)
    asked = np.sqrt(np.maximum(1.0, threshold / np.maximum(share, 1e-12)))
    factors = np.where(there, asked, 1.0).max(1, initial=1.0)
    if even:
        return _spread(factors, round(factors.sum()), seed, epoch)
    chance = _uniform(seed, epoch, 0, np.arange(len(present)))
    counts = np.floor(factors).astype(np.int64) + (chance < factors % 1)
    order = np.repeat(np.arange(len(present)), counts)
    return order[permutation(len(order), seed, epoch)]


def _count(n: int) -> int:
    if n < 0:
        raise ValueError(f"n: expected at least 0, got {n}")
    return int(n)


def _epoch(epoch: int) -> int:
    if epoch < 0:
        raise ValueError(f"epoch: expected at least 0, got {epoch}")
    return int(epoch)


def _quotas(counts: np.ndarray, total: int, mode: str) -> np.ndarray:
    """How many turns each class gets, (K,) integers that sum to total, by largest remainders."""
    weight = np.sqrt(counts) if mode == "sqrt" else np.ones(len(counts))
    wish = total * weight / weight.sum()
    quota = np.floor(wish).astype(np.int64)
    behind = np.argsort(quota - wish, kind="stable")
    quota[behind[: total - quota.sum()]] += 1
    return quota


def _cycled(count: int, quota: int, epoch: int, seed: int, name: int) -> np.ndarray:
    """Places (quota,) in 0..count − 1: this epoch's stretch of an endless chain of permutations."""
    first, last = epoch * quota, (epoch + 1) * quota
    cycles = np.arange(first // count, -(-last // count))
    keys = _uniform(seed, name, cycles[:, None], np.arange(count)[None, :])
    chain = np.argsort(keys, axis=1, kind="stable").ravel()
    return chain[first - int(cycles[0]) * count :][:quota] if len(cycles) else chain


def _class_factors(classes: np.ndarray, mode: str) -> np.ndarray:
    """How often each sample should come, relative to the others, (n,) at least 1."""
    there = np.nan_to_num(classes.astype(np.float64), nan=0.0) > 0
    counts = there.sum(0)
    asked = counts.max(initial=1) / np.maximum(counts, 1)
    if mode == "sqrt":
        asked = np.sqrt(asked)
    return np.where(there, asked, 1.0).max(1, initial=1.0)


def _spread(factors: np.ndarray, total: int, seed: int, epoch: int) -> np.ndarray:
    """`total` turns, each sample's count its share rounded up or down (systematic sampling), shuffled."""
    walk = permutation(len(factors), seed, epoch)
    marks = np.cumsum(factors[walk])
    marks *= total / marks[-1]
    offset = float(_uniform(seed, epoch, 1, np.zeros(1, np.int64))[0])
    passed = np.minimum(np.floor(marks + offset).astype(np.int64), total)
    passed[-1] = total
    order = np.repeat(walk, np.diff(passed, prepend=0))
    return order[permutation(total, seed + 1, epoch)].astype(np.int64, copy=False)


def _uniform(seed: int, a: int, b: int | np.ndarray, c: np.ndarray) -> np.ndarray:
    """Numbers in 0..1 that depend on the four keys alone (SplitMix64 finalizer), in the broadcast shape of b and c."""
    with np.errstate(over="ignore"):
        key = _mixed(np.full(1, seed % 2**63, np.uint64)) + np.uint64(a % 2**63)
        key = _mixed(key) + np.asarray(b).astype(np.uint64)
        return _mixed(_mixed(key) + np.asarray(c).astype(np.uint64) * _GOLDEN) / np.float64(2**64)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))

"""Filling in the splits that a data set lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.data._calm import calm
from vidi.errors import DataError
from vidi.labels import Classification, Detections, Regression

BINS = 10
"""Regression values are stratified by at most so many quantiles."""


@calm
def assign(dataset: Dataset, *, val: float = 0.2, test: float = 0.0, seed: int = 0, by: str = "sample") -> Dataset:
    """The same data set with every sample in a split; what the data says is kept.

    Validation and test samples are drawn from those of ``train`` and those without a split, and only where the data has none.
    Exclusive classes are stratified, several classes at once (also those of boxes) iteratively (Sechidis, Tsoumakas and Vlahavas
    2011), numbers by quantile. Samples of one group stay together. Samples without a label, and classes of a single sample, stay in training.
    By class, whole classes are drawn, at least two, so that validation and test show what training never saw (re-identification); groups have
    no say then.

    Args:
        dataset: samples with or without splits; not changed.
        val: share of the drawn-from samples for validation, 0..1.
        test: the same for test.
        seed: decides which; the same data, shares and seed give the same splits.
        by: ``sample``, or ``class`` for exclusive classes.

    Returns:
        a new data set; its notes say what was done.

    Raises:
        DataError: the shares are not in 0..1, or leave nothing for training; or there are too few classes to draw whole ones.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise DataError("shares of validation and test must leave some for training", value=f"val {val}, test {test}", fix="such as 0.2 and 0.1")
    there = dataset.splits
    shares = {name: share for name, share in (("val", val), ("test", test)) if share > 0 and name not in there}
    samples = [replace(sample, split=sample.split or "train") for sample in dataset.samples]
    data = dataset.with_samples(samples)
    pool = np.array([i for i, sample in enumerate(samples) if sample.split == "train" and sample.label is not None], np.int64)
    unlabeled = sum(sample.split == "train" and sample.label is None for sample in samples)
    if not len(pool) and dataset.space is None:
        pool, unlabeled = np.array([i for i, sample in enumerate(samples) if sample.split == "train"], np.int64), 0
    if not shares or not len(pool):
        return data
    chosen, how = (_draw_classes if by == "class" else _draw)(data, pool, shares, seed)
    for name, indices in chosen.items():
        for i in indices:
            samples[i].split = name
        share = shares[name]
        data.notes.append(f"{name}: {len(indices)} of {len(pool)} ({share:.0%} asked) drawn from train, {how}, seed {seed}")
        if not len(indices):
            data.notes.append(f"{name} is empty: too few samples or groups to share")
    if unlabeled:
        data.notes.append(f"{unlabeled} samples without a label stay in train")
    return data


def _draw(data: Dataset, pool: np.ndarray, shares: dict[str, float], seed: int) -> tuple[dict[str, np.ndarray], str]:
    """The chosen samples by split, in order, and in words how they were chosen."""
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**63, len(pool)]))
    samples = [data.samples[i] for i in pool]
    strata, exclusive, how = _strata(samples, min(shares.values()))
    names = [*shares, "train"]
    weights = np.array([*shares.values(), 1 - sum(shares.values())])
    if any(sample.group is not None for sample in samples):
        place, rule = _by_group(data, samples, strata, weights, generator)
        how = rule + (f", {how}" if how != "at random" else "")
    elif exclusive:
        place, alone = _by_class(strata, weights, generator)
        if alone:
            data.notes.append(f"{alone} classes have a single sample, which stays in train: {_first_names(data, samples, strata)}")
    else:
        place = _iteratively(strata, weights, generator)
    return {name: np.sort(pool[place == k]) for k, name in enumerate(names[:-1])}, how


def _draw_classes(data: Dataset, pool: np.ndarray, shares: dict[str, float], seed: int) -> tuple[dict[str, np.ndarray], str]:
    """The samples of the chosen classes by split, in order, and in words how they were chosen."""
    labels = [data.samples[i].label for i in pool]
    if data.space is None or not data.space.exclusive or not all(isinstance(label, Classification) for label in labels):
        raise DataError("whole classes can only be drawn where each sample has one", file=data.root, at="split_by", value="class", fix="split_by=sample")
    classes = np.array([label.top for label in labels])
    found = np.unique(classes[classes >= 0])
    if len(found) < 2 * (len(shares) + 1):
        raise DataError(
            f"too few classes to keep two of them for each of {', '.join(shares)} and two for training", file=data.root, at="split_by",
            value=f"{len(found)} classes", fix="split_by=sample, or val=0",
        )  # fmt: skip
    order = np.random.Generator(np.random.Philox(key=[seed % 2**63, len(pool)])).permutation(found)
    chosen, start, room = {}, 0, len(found) - 2 * (len(shares) + 1)
    for name, share in shares.items():
        more = min(room, max(0, round(share * len(found)) - 2))
        chosen[name] = pool[np.isin(classes, order[start : start + 2 + more])]
        start, room = start + 2 + more, room - more
    return chosen, f"whole classes ({start} of {len(found)})"


def _first_names(data: Dataset, samples: list[Sample], strata: np.ndarray) -> str:
    counts = strata.sum(0)
    names = data.space.names if data.space is not None and data.space.family == "Classification" else ()
    singles = [names[k] if k < len(names) else str(k) for k in np.flatnonzero(counts == 1)]
    return ", ".join(singles[:5]) + (f" and {len(singles) - 5} more" if len(singles) > 5 else "")


def _strata(samples: list[Sample], share: float) -> tuple[np.ndarray, bool, str]:
    """(N, K) bool: which strata each sample belongs to; whether to exactly one; and in words."""
    labels = [sample.label for sample in samples]
    count = len(labels)
    if count and all(isinstance(label, Classification) for label in labels):
        values = np.nan_to_num(Classification.stack(labels))  # type: ignore[arg-type]
        tops = values.argmax(1)
        positive = values > 0.5
        if (positive.sum(1) == 1).all() or np.allclose(values.sum(1), 1, atol=1e-3):
            return np.eye(values.shape[1], dtype=bool)[tops], True, "stratified by class"
        return positive, False, "stratified iteratively over the classes"
    if count and all(isinstance(label, Regression) for label in labels):
        columns = Regression.stack(labels)  # type: ignore[arg-type]
        bins = int(max(1, min(BINS, count * share // 2)))
        parts = [_quantiles(columns[:, d], bins) for d in range(columns.shape[1])]
        return np.concatenate(parts, 1), columns.shape[1] == 1 and not np.isnan(columns).any(), "stratified by value"
    if count and all(isinstance(label, Detections) for label in labels):
        classes = [label.classes for label in labels]  # type: ignore[union-attr]
        present = np.zeros((count, max((int(each.max(initial=0)) for each in classes), default=0) + 1), bool)
        for row, each in enumerate(classes):
            present[row, each] = True
        return present, False, "stratified iteratively over the classes"
    return np.ones((count, 1), bool), True, "at random"


def _quantiles(values: np.ndarray, bins: int) -> np.ndarray:
    """(N, bins) bool: the quantile each value lies in; none for NaN. Equal values share a bin."""
    known = ~np.isnan(values)
    member = np.zeros((len(values), bins), bool)
    if known.any():
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1]))
        member[np.flatnonzero(known), np.searchsorted(edges, values[known], side="right")] = True
    return member


def _by_class(strata: np.ndarray, weights: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """The split of each sample (the last is train), with the asked totals and each class shared as evenly as they allow.

    Returns:
        (N,) int64, and how many classes have a single sample.
    """
    count, train = len(strata), len(weights) - 1
    place = np.full(count, train)
    which = strata.argmax(1)
    order = generator.permutation(count)
    members = [order[which[order] == k] for k in range(strata.shape[1])]
    sizes = np.array([len(member) for member in members])
    taken = np.zeros(len(sizes), np.int64)
    for k, weight in enumerate(weights[:-1]):
        quota = sizes * weight
        room = np.where(sizes > 1, sizes - 1 - taken, 0)
        take = np.minimum(np.floor(quota + 1e-9).astype(np.int64), room)
        total = int(np.clip(round(count * weight), 1, room.sum())) if room.sum() else 0
        rank = np.lexsort((generator.random(len(sizes)), -(quota - take), take > 0))
        while take.sum() < total:
            open_ = [c for c in rank if take[c] < room[c]]
            for c in open_[: total - int(take.sum())]:
                take[c] += 1
        for c in np.flatnonzero(take):
            place[members[c][taken[c] : taken[c] + take[c]]] = k
        taken += take
    return place, int((sizes == 1).sum()) if strata.shape[1] > 1 else 0


def _iteratively(strata: np.ndarray, weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Iterative stratification, algorithm 1 of Sechidis, Tsoumakas and Vlahavas (2011); the split of each sample, (N,) int64.

    The rarest class left is shared out first, each of its samples to the split that lacks most of it; a class's only sample goes
    to train, the last split.
    """
    count, train = len(strata), len(weights) - 1
    place = np.full(count, -1)
    wanted = weights * count
    wanted_by_class = weights[:, None] * strata.sum(0)
    order = generator.permutation(count)
    left = strata[order].copy()
    alone = left[:, left.sum(0) == 1].any(1)
    noise = generator.random((count, len(weights))) * 1e-6

    def put(row: int, split: int) -> None:
        sample = order[row]
        place[sample] = split
        wanted[split] -= 1
        wanted_by_class[split] -= strata[sample]

    for row in np.flatnonzero(alone):
        put(int(row), train)
    remaining = left[~alone].sum(0)
    done = np.array(alone)
    while (remaining > 0).any():
        rarest = int(np.where(remaining > 0, remaining, count + 1).argmin())
        for row in np.flatnonzero(left[:, rarest] & ~done):
            lack = wanted_by_class[:, rarest]
            best = np.flatnonzero(lack >= lack.max() - 1e-9)
            split = int(best[(wanted[best] + noise[row, best]).argmax()])
            put(int(row), split)
            done[row] = True
            remaining -= left[row]
    for row in np.flatnonzero(~done):
        put(int(row), int((wanted + noise[row]).argmax()))
    _give_one(place, weights, generator)
    return place


def _give_one(place: np.ndarray, weights: np.ndarray, generator: np.random.Generator) -> None:
    """A split that came out empty gets one of train's samples, if train can spare it."""
    train = len(weights) - 1
    for split in range(train):
        mine = np.flatnonzero(place == train)
        if not (place == split).any() and len(mine) > 1:
            place[generator.choice(mine)] = split


def _by_group(
    data: Dataset, samples: list[Sample], strata: np.ndarray, weights: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Whole groups at once: the largest first, each to the split that lacks most of what it holds. A sample without one is a group."""
    names = [sample.group if sample.group is not None else f"\0{i}" for i, sample in enumerate(samples)]
    _, member = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    groups = int(member.max()) + 1
    train = len(weights) - 1
    holds = np.zeros((groups, strata.shape[1] + 1))
    np.add.at(holds, member, np.concatenate([strata, np.ones((len(samples), 1), bool)], 1))
    fixed = {sample.group for sample in data.samples if sample.split not in ("train", None) and sample.group is not None}
    bound = np.isin(np.arange(groups), member[[sample.group in fixed for sample in samples]])
    totals = np.maximum(holds.sum(0), 1)
    lack = weights[:, None] * totals
    place = np.full(groups, train)
    order = np.lexsort((generator.random(groups), -holds[:, -1]))
    for g in order:
        if not bound[g]:
            place[g] = int(((lack * (holds[g] / totals)).sum(1)).argmax())
        lack[place[g]] -= holds[g]
    for split in range(train):
        free = np.flatnonzero((place == train) & ~bound)
        if not (place == split).any() and len(free) and (place == train).sum() > 1:
            place[free[holds[free, -1].argmin()]] = split
    if bound.any():
        data.notes.append(f"{int(bound.sum())} groups of train are also in val or test of the data itself; they stay as they are")
    return place[member], f"whole groups ({groups})"

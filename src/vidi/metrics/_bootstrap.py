"""Bootstrap resamples as sample weights, and the numbers of each resample.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from vidi.metrics._pairs import Pairs

_BLOCK = 8_000_000


def resamples(count: int, times: int, seed: int, groups: Sequence[Hashable] | None = None) -> Iterator[np.ndarray]:
    """How often each of `count` samples is drawn, (r, count) float64 blocks of `times` rows in all.

    Args:
        groups: the group of each sample; whole groups are drawn then.
    """
    random = np.random.default_rng(seed)
    unit = np.arange(count)
    if groups is not None:
        places = {group: i for i, group in enumerate(dict.fromkeys(groups))}
        unit = np.array([places[group] for group in groups])
    units = int(unit.max()) + 1 if count else 0
    step = max(1, _BLOCK // max(1, count))
    for start in range(0, times if units else 0, step):
        rows = min(step, times - start)
        drawn = np.stack([np.bincount(random.integers(0, units, units), minlength=units) for _ in range(rows)])
        yield drawn[:, unit].astype(np.float64)


def estimator_of(metric: ModuleType, pairs: Pairs, settings: Mapping[str, Any]):
    """A function from weights (R, K) to each number's R values: the metric's own, or its `numbers` on each resample."""
    truth, predicted = pairs.of(metric)
    if hasattr(metric, "estimator"):
        return metric.estimator(truth, predicted, pairs.space, settings)

    def repeat(weights: np.ndarray) -> dict[str, np.ndarray]:
        rows = []
        for row in weights.astype(np.int64):
            drawn = np.repeat(np.arange(len(row)), row)
            chosen = [part[drawn] if isinstance(part, np.ndarray) else [part[i] for i in drawn] for part in (truth, predicted)]
            rows.append(metric.numbers(chosen[0], chosen[1], pairs.space, settings))
        names = dict.fromkeys(name for row in rows for name in row)
        values = {name: [row.get(name) for row in rows] for name in names}
        return {name: np.array([np.nan if v is None else v for v in column], np.float64) for name, column in values.items()}

    return repeat


def bootstrap(
    metrics: Sequence[ModuleType],
    pairs: Sequence[Pairs],
    settings: Sequence[Mapping[str, Any]],
    times: int,
    seed: int,
    groups: Sequence[Hashable] | None = None,
) -> list[dict[str, np.ndarray]]:
    """Every number of every resample, (times,) by name, for each of several models' pairs (and settings) on the same samples."""
    estimators = [[estimator_of(metric, one, given) for metric in metrics] for one, given in zip(pairs, settings)]
    parts: list[dict[str, list[np.ndarray]]] = [{} for _ in pairs]
    for weights in resamples(len(pairs[0]), times, seed, groups):
        for found, own in zip(parts, estimators):
            for estimate in own:
                for name, values in estimate(weights).items():
                    found.setdefault(name, []).append(values)
    return [{name: np.concatenate(blocks) for name, blocks in found.items()} for found in parts]


def percentiles(values: np.ndarray, level: float) -> tuple[float, float] | None:
    """The central interval that holds `level` of the resamples; None if the number is undefined in half of them or more."""
    values = values[np.isfinite(values)] if 2 * np.isfinite(values).sum() > len(values) else values[:0]
    if len(values) < 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

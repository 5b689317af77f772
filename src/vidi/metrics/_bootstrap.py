"""Bootstrap resamples as sample weights, and the numbers of each resample.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from vidi.metrics._arrays import plain, point
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
    for start in range(0, times if units > 1 else 0, step):
        rows = min(step, times - start)
        drawn = np.stack([np.bincount(random.integers(0, units, units), minlength=units) for _ in range(rows)])
        yield drawn[:, unit].astype(np.float64)


class Reading:
    """One metric of one model's pairs: its numbers, and those of resamples.

    A metric that has an `estimator` is prepared (sorted, counted) once for both; of others `numbers` is called on every
    resample.
    """

    def __init__(self, metric: ModuleType, pairs: Pairs, settings: Mapping[str, Any]):
        self.metric, self.settings, self.space, self.count = metric, settings, pairs.space, len(pairs)
        self.truth, self.predicted = pairs.of(metric)
        has = hasattr(metric, "estimator")
        self.estimator = metric.estimator(self.truth, self.predicted, self.space, settings) if has else None
        self.numbers = self._numbers()
        """By name; None where undefined."""

    def _numbers(self) -> dict[str, float | None]:
        if self.estimator is not None:
            return point(self.estimator, self.count)
        found = self.metric.numbers(self.truth, self.predicted, self.space, self.settings)
        return {name: plain(value) for name, value in found.items()}

    def figures(self) -> list[dict[str, Any]]:
        """The metric's figures, if it draws any."""
        draw = getattr(self.metric, "figures", None)
        return draw(self.truth, self.predicted, self.space, self.settings) if draw else []

    def resampled(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each number's R values for (R, K) counts, NaN where undefined."""
        if self.estimator is not None:
            return self.estimator(weights)
        rows = []
        for row in weights.astype(np.int64):
            drawn = np.repeat(np.arange(len(row)), row)
            truth, predicted = (
                part[drawn] if isinstance(part, np.ndarray) else [part[i] for i in drawn]
                for part in (self.truth, self.predicted)
            )
            rows.append(self.metric.numbers(truth, predicted, self.space, self.settings))
        names = dict.fromkeys(name for row in rows for name in row)
        values = {name: [row.get(name) for row in rows] for name in names}
        return {name: np.array([np.nan if v is None else v for v in column], np.float64) for name, column in values.items()}


def bootstrap(
    models: Sequence[Sequence[Reading]], count: int, times: int, seed: int, groups: Sequence[Hashable] | None = None
) -> list[dict[str, np.ndarray]]:
    """Every number of every resample, (times,) by name, for each of several models on the same `count` samples."""
    parts: list[dict[str, list[np.ndarray]]] = [{} for _ in models]
    for weights in resamples(count, times, seed, groups):
        for found, readings in zip(parts, models):
            for reading in readings:
                if all(number is None for number in reading.numbers.values()):
                    continue
                for name, values in reading.resampled(weights).items():
                    found.setdefault(name, []).append(values)
    return [{name: np.concatenate(blocks) for name, blocks in found.items()} for found in parts]


def percentiles(values: np.ndarray, level: float) -> tuple[float, float] | None:
    """The central interval that holds `level` of the resamples; None if the number is undefined in half of them or more."""
    values = values[np.isfinite(values)] if 2 * np.isfinite(values).sum() > len(values) else values[:0]
    if len(values) < 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

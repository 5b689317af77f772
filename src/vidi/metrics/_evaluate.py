"""Numbers with their n and interval, figures, and how wrong each sample is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.discovery import load
from vidi.core.discovery import names as choices
from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Label
from vidi.metrics._bootstrap import Reading, bootstrap, percentiles
from vidi.metrics._pairs import Pairs, fits, higher_is_better, metrics_for, pair, predicted_family


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a model reached on a data set.

    Args:
        numbers: by name, in the metrics' order; None where undefined.
        intervals: (low, high) of the numbers that have one.
        n: samples behind each number; ``samples`` is all of them, ``unlabeled`` those left out for want of truth.
        figures: plain JSON descriptions, each with its ``kind`` and the ``metric`` it came from.
        per_sample: arrays over all samples. ``badness``: 1 − agreement of truth and prediction, 0..1, NaN without truth; where they are of two
            families, what a metric says of it.
        higher_is_better: the direction of each number.
        level: share of resamples inside an interval.
        resamples: how many were drawn.
    """

    numbers: dict[str, float | None]
    intervals: dict[str, tuple[float, float]]
    n: dict[str, int]
    figures: list[dict[str, Any]]
    per_sample: dict[str, np.ndarray]
    higher_is_better: dict[str, bool]
    level: float
    resamples: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of everything but `per_sample`."""
        return {
            "numbers": dict(self.numbers),
            "intervals": {name: list(bounds) for name, bounds in self.intervals.items()},
            "n": dict(self.n),
            "figures": self.figures,
            "higher_is_better": dict(self.higher_is_better),
            "level": self.level,
            "resamples": self.resamples,
        }


def applicable(space: Space) -> list[str]:
    """The metrics of this room that fit labels, truth and prediction, of this meaning."""
    modules = {name: load("metrics", name) for name in choices("metrics")}
    return [name for name, module in modules.items() if fits(module, space) and not hasattr(module, "PREDICTS")]


def evaluate(
    names: Sequence[str],
    truth: Sequence[Label | None],
    predicted: Sequence[Label],
    space: Space,
    *,
    settings: Mapping[str, Any] | None = None,
    intervals: int = 200,
    level: float = 0.95,
    seed: int = 0,
    figures: bool = True,
    groups: Sequence[Hashable] | None = None,
    ids: Sequence[str] | None = None,
) -> Evaluation:
    """Compute metrics of predictions.

    Args:
        names: metrics of this room, or paths to files of one's own.
        truth: one label per sample; None: not known, the sample is left out and counted.
        predicted: one label per sample, of the truth's family or the one that the metrics take instead (``PREDICTS``).
        space: what true labels mean.
        settings: for the metrics, such as ``thresholds`` by class; ``sizes`` are the pictures' (height, width), one per sample.
        intervals: bootstrap resamples for percentile intervals; 0: no intervals.
        level: share of resamples inside an interval.
        seed: of the resamples.
        figures: whether to describe figures.
        groups: the group of each sample (patient, video); resamples then draw whole groups.
        ids: the samples' names, for errors.

    Raises:
        InputError: labels do not fit each other or the space, or a prediction is not finite (`at` is the sample's index).
        ChoiceError: no such metric, or one for other labels.
    """
    check_level(intervals, level)
    metrics = metrics_for(names, space)
    predicts = predicted_family(metrics, space)
    pairs = pair(truth, predicted, space, ids, predicts)
    settings = pairs.settings(settings, len(truth))
    informative = pairs.informative()

    numbers: dict[str, float | None] = {}
    n = {"samples": len(truth), "unlabeled": len(truth) - int(informative.sum())}
    better: dict[str, bool] = {}
    readings, drawn = [], []
    for name, metric in zip(dict.fromkeys(names), metrics):
        readings.append(Reading(metric, pairs, settings))
        own = readings[-1].numbers
        if taken := sorted(own.keys() & numbers.keys()):
            raise InputError("two metrics give a number of one name", at=name, value=taken[0])
        numbers |= own
        better |= {number: higher_is_better(metric, number) for number in own}
        counts = metric.counts(pairs.of(metric)[0], space, settings) if hasattr(metric, "counts") else {}
        n |= {number: int(counts.get(number, informative.sum())) for number in own}
        if figures:
            drawn += [figure | {"metric": Path(name).stem} for figure in readings[-1].figures()]

    units = kept_groups(groups, pairs, len(truth))
    values = bootstrap([readings], len(pairs), intervals, seed, units)[0] if informative.sum() > 1 else {}
    found = {name: percentiles(each, level) for name, each in values.items() if numbers.get(name) is not None}
    bounds = {name: interval for name in numbers if (interval := found.get(name)) is not None}
    wrong = badness(pairs, len(truth), informative) if predicts == space.family else told_badness(readings, pairs, len(truth))
    return Evaluation(numbers, bounds, n, drawn, {"badness": wrong}, better, level, intervals)


def check_level(intervals: int, level: float) -> None:
    if intervals < 0:
        raise InputError("the number of resamples is 0 or more", at="intervals", value=intervals)
    if not 0 < level < 1:
        raise InputError("the level of an interval lies between 0 and 1", at="level", value=level)


def kept_groups(groups: Sequence[Hashable] | None, pairs: Pairs, count: int) -> list[Hashable] | None:
    """The groups of the samples whose truth is known."""
    if groups is None:
        return None
    if len(groups) != count:
        raise InputError("expected one group for each sample", value=f"{len(groups)} for {count}")
    return [groups[i] for i in pairs.kept]


def told_badness(readings: Sequence[Reading], pairs: Pairs, count: int) -> np.ndarray:
    """How wrong each of `count` samples is by the first metric that tells (`badness`), where truth and prediction cannot agree because they are
    of two families; NaN where none does."""
    found = np.full(count, np.nan)
    for reading in readings:
        if hasattr(reading.metric, "badness"):
            found[pairs.kept] = reading.metric.badness(reading.truth, reading.predicted, reading.space, reading.settings)
            break
    return found


def badness(pairs: Pairs, count: int, informative: np.ndarray) -> np.ndarray:
    """1 − agreement(truth, predicted) of each of `count` samples, float64; NaN where the truth is not known."""
    found = np.full(count, np.nan)
    for place, known, true, guess in zip(pairs.kept, informative, pairs.truth, pairs.predicted):
        if known:
            found[place] = 1 - true.agreement(guess)
    return found

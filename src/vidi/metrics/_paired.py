"""Two models on the same samples: differences with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from vidi.core.space import Space
from vidi.labels import Label
from vidi.metrics._bootstrap import Reading, bootstrap, percentiles
from vidi.metrics._evaluate import check_level, kept_groups
from vidi.metrics._pairs import metrics_for, pair, predicted_family

Difference = tuple[float | None, float | None, float | None]


def paired(
    names: Sequence[str],
    truth: Sequence[Label | None],
    a: Sequence[Label],
    b: Sequence[Label],
    space: Space,
    *,
    settings: Mapping[str, Any] | None = None,
    settings_b: Mapping[str, Any] | None = None,
    intervals: int = 400,
    level: float = 0.95,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    ids: Sequence[str] | None = None,
) -> dict[str, Difference]:
    """For each number, b − a with its percentile interval over resamples that both models share.

    An interval without 0 speaks for a real difference. Where a number is undefined for a or b, all three are None;
    where only the interval is undefined, its bounds are.

    Args:
        a, b: one prediction of each model per sample.
        settings_b: settings for b, such as its own thresholds; None: those of a.

    The other arguments and errors are those of `evaluate`.
    """
    check_level(intervals, level)
    metrics = metrics_for(names, space)
    both = [pair(truth, predicted, space, ids, predicted_family(metrics, space)) for predicted in (a, b)]
    own = [both[0].settings(given, len(truth)) for given in (settings, settings if settings_b is None else settings_b)]
    models = [[Reading(metric, pairs, given) for metric in metrics] for pairs, given in zip(both, own)]
    first, second = (
        {name: value for reading in readings for name, value in reading.numbers.items()} for readings in models
    )
    drawn: list[dict] = [{}, {}]
    if intervals and both[0].informative().sum() > 1:
        drawn = bootstrap(models, len(both[0]), intervals, seed, kept_groups(groups, both[0], len(truth)))
    found: dict[str, Difference] = {}
    for name, start in first.items():
        end = second.get(name)
        if start is None or end is None:
            found[name] = (None, None, None)
            continue
        bounds = percentiles(drawn[1][name] - drawn[0][name], level) if name in drawn[0] and name in drawn[1] else None
        found[name] = (end - start, *(bounds or (None, None)))
    return found

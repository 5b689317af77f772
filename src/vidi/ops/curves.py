"""Ranking curves, their areas and calibration bins, in numpy.

Areas take a stack of sample weights, so that one sort serves hundreds of bootstrap resamples. Equal scores form one cut:
no number here depends on the order of the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_BLOCK = 1_000_000


@dataclass(frozen=True, slots=True)
class Ranking:
    """Entries in falling order of score.

    Args:
        rows: (M,) index of the sample that each entry belongs to.
        positive: (M,) float64, 1 for positives.
        ends: (G,) the last entry of each group of equal scores.
        scores: (M,) falling.
    """

    rows: np.ndarray
    positive: np.ndarray
    ends: np.ndarray
    scores: np.ndarray

    @property
    def defined(self) -> bool:
        """Whether there are positives and negatives."""
        return 0 < self.positive.sum() < len(self.positive)


def rank(scores: np.ndarray, positive: np.ndarray, rows: np.ndarray | None = None) -> Ranking:
    """Sort entries by falling score.

    Args:
        scores: (M,) finite.
        positive: (M,) bool.
        rows: (M,) sample of each entry; None: entry i is sample i.
    """
    order = np.argsort(-scores)
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1) if len(ordered) else np.zeros(0, np.int64)
    return Ranking(order if rows is None else rows[order], positive[order].astype(np.float64), ends, ordered)


def _cumulated(ranking: Ranking, weights: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Weight of positives and of all entries down to each cut, (r, G), for one block of the (R, N) weights after another."""
    step = max(1, _BLOCK // max(1, len(ranking.rows)))
    ties = len(ranking.ends) < len(ranking.rows)
    for start in range(0, len(weights), step):
        block = slice(start, start + step)
        taken = np.take(weights[block], ranking.rows, axis=1)
        positives = np.cumsum(taken * ranking.positive, axis=1)
        total = np.cumsum(taken, axis=1, out=taken)
        yield block, positives[:, ranking.ends] if ties else positives, total[:, ranking.ends] if ties else total


def _steps(values: np.ndarray) -> np.ndarray:
    return np.diff(values, axis=1, prepend=0)


def area_under_roc(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for each row of weights.

    Args:
        ranking: M entries.
        weights: (R, N) weight of each sample, 0 or more.

    Returns:
        (R,) in 0..1; NaN where positives or negatives have no weight.
    """
    area = np.full(len(weights), np.nan)
    if not ranking.defined:
        return area
    for block, positives, total in _cumulated(ranking, weights):
        negatives = total - positives
        both = positives[:, -1] * negatives[:, -1]
        twice = positives.copy()
        twice[:, 1:] += positives[:, :-1]
        inside = np.einsum("rg,rg->r", _steps(negatives), twice) / 2
        area[block] = np.divide(inside, both, out=np.full(len(both), np.nan), where=both > 0)
    return area


def average_precision(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Average precision, Σ (recall step) · precision without interpolation, for each row of (R, N) weights.

    Returns:
        (R,) in 0..1; NaN where positives have no weight.
    """
    area = np.full(len(weights), np.nan)
    if not ranking.positive.any():
        return area
    for block, positives, total in _cumulated(ranking, weights):
        found = positives[:, -1]
        precision = np.divide(positives, total, out=total, where=total > 0)
        inside = np.einsum("rg,rg->r", _steps(positives), precision)
        area[block] = np.divide(inside, found, out=np.full(len(found), np.nan), where=found > 0)
    return area


def _groups(ranking: Ranking) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positives and entries down to each cut, both (G,), and the group of each entry (M,)."""
    positives = np.cumsum(ranking.positive)[ranking.ends]
    total = ranking.ends + 1.0
    return positives, total, np.repeat(np.arange(len(ranking.ends)), np.diff(ranking.ends, prepend=-1))


def roc_influence(ranking: Ranking) -> tuple[float, np.ndarray]:
    """The area under the ROC curve and its derivative by the weight of each entry, at equal weights.

    The derivatives are DeLong's placement values, centered (DeLong et al. 1988, doi:10.2307/2531595).

    Returns:
        the area, and (M,) derivatives in the order of `ranking.rows`; NaN and zeros where it is not defined.
    """
    if not ranking.defined:
        return float("nan"), np.zeros(len(ranking.rows))
    positives, total, group = _groups(ranking)
    negatives = total - positives
    all_positives, all_negatives = positives[-1], negatives[-1]
    below = (all_negatives - negatives + np.diff(negatives, prepend=0) / 2) / all_negatives
    above = (positives - np.diff(positives, prepend=0) / 2) / all_positives
    area = float(np.diff(positives, prepend=0) @ below / all_positives)
    is_positive = ranking.positive > 0
    slope = np.where(is_positive, (below[group] - area) / all_positives, (above[group] - area) / all_negatives)
    return area, slope


def precision_influence(ranking: Ranking) -> tuple[float, np.ndarray]:
    """Average precision and its derivative by the weight of each entry, as `roc_influence`."""
    if not ranking.positive.any():
        return float("nan"), np.zeros(len(ranking.rows))
    positives, total, group = _groups(ranking)
    gained = np.diff(positives, prepend=0)
    precision = positives / total
    area = float(gained @ precision / positives[-1])
    gain_later = np.cumsum((gained / total)[::-1])[::-1]
    loss_later = np.cumsum((gained * positives / total**2)[::-1])[::-1]
    slope = ranking.positive * (precision + gain_later - area)[group] - loss_later[group]
    return area, slope / positives[-1]


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False and true positive rate at falling thresholds, each (G + 1,), from (0, 0) at an infinite threshold.

    Args:
        scores: (M,) finite.
        positive: (M,) bool with at least one positive and one negative.
    """
    ranking = rank(scores, positive)
    positives, total, _ = _groups(ranking)
    negatives = total - positives
    rates = [np.append(0.0, counts / counts[-1]) for counts in (negatives, positives)]
    return rates[0], rates[1], np.append(np.inf, ranking.scores[ranking.ends])


def precision_recall_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and recall at falling thresholds, each (G + 1,), from precision 1 and recall 0 at an infinite threshold.

    Args:
        scores: (M,) finite.
        positive: (M,) bool with at least one positive.
    """
    ranking = rank(scores, positive)
    positives, total, _ = _groups(ranking)
    thresholds = np.append(np.inf, ranking.scores[ranking.ends])
    return np.append(1.0, positives / total), np.append(0.0, positives / positives[-1]), thresholds


def f1_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of "score ≥ threshold" at each distinct score: falling thresholds (G,) and F1 (G,).

    Args:
        scores: (M,) finite.
        positive: (M,) bool.
    """
    ranking = rank(scores, positive)
    positives, total, _ = _groups(ranking)
    return ranking.scores[ranking.ends], 2 * positives / (total + positive.sum())


def bin_index(confidence: np.ndarray, bins: int) -> np.ndarray:
    """The equal-width bin of each value in 0..1: bin b holds (b / bins, (b + 1) / bins], and 0 lies in the first."""
    return np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1, 0, bins - 1)


def calibration_bins(confidence: np.ndarray, outcome: np.ndarray, bins: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many values fall into each equal-width bin, their mean confidence and their mean outcome, each (bins,).

    The means of empty bins are NaN (Guo et al. 2017, arXiv:1706.04599).

    Args:
        confidence: (M,) in 0..1.
        outcome: (M,) 0 or 1, or bool.
    """
    index = bin_index(confidence, bins)
    count = np.bincount(index, minlength=bins)
    empty = np.full(bins, np.nan)
    means = [
        np.divide(np.bincount(index, weights=values, minlength=bins), count, out=empty.copy(), where=count > 0)
        for values in (confidence, outcome)
    ]
    return count, means[0], means[1]


def thin(x: np.ndarray, y: np.ndarray, limit: int = 200) -> tuple[list[float], list[float]]:
    """A curve with at most `limit` points, evenly spaced along its length, ends included."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) > limit:
        spans = [np.ptp(values) or 1.0 for values in (x, y)]
        path = np.append(0, np.cumsum(np.abs(np.diff(x)) / spans[0] + np.abs(np.diff(y)) / spans[1]))
        kept = np.unique(np.append(np.searchsorted(path, np.linspace(0, path[-1], limit - 1)), len(x) - 1))
        x, y = x[kept], y[kept]
    return x.tolist(), y.tolist()

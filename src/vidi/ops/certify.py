"""Certificates by randomized smoothing: from counts of votes under Gaussian noise to a radius in which the answer cannot change.

Cohen, Rosenfeld and Kolter 2019, *Certified adversarial robustness via randomized smoothing*, arXiv:1902.02918.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, binomtest, norm

ABSTAIN = -1


def lower_bound(hits: np.ndarray, trials: int, alpha: float) -> np.ndarray:
    """The one-sided lower confidence bound of Clopper and Pearson 1934 on a probability.

    Args:
        hits: how often it came true, any shape of integers, 0 to `trials`.
        trials: 1 or more.
        alpha: chance that the probability is smaller than the bound, 0..1 exclusive.

    Returns:
        float64 in 0..1 of the shape of `hits`; 0 where there was no hit.
    """
    hits = np.asarray(hits, np.float64)
    with np.errstate(invalid="ignore"):
        bound = beta.ppf(alpha, hits, trials - hits + 1)
    return np.where(hits == 0, 0.0, bound)


def radius(bound: np.ndarray, sigma: float) -> np.ndarray:
    """The Euclidean radius σ·Φ⁻¹(bound) in which the class with at least this probability stays first; 0 up to a half.

    Args:
        bound: lower bounds of the first class's probability, 0..1.
        sigma: of the noise, in the unit that the radius shall have.
    """
    bound = np.asarray(bound, np.float64)
    return np.where(bound > 0.5, sigma * norm.ppf(np.clip(bound, 0.5, 1 - 1e-16)), 0.0)


def certify(first: np.ndarray, counts: np.ndarray, sigma: float, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Classes and radii (algorithm CERTIFY).

    Args:
        first: votes from a few draws that choose the class, (B, C).
        counts: votes from other draws that bound its probability, (B, C).
        alpha: chance that a certificate is wrong, per picture.

    Returns:
        classes (B,) int64, `ABSTAIN` where nothing can be said; radii (B,) float64, 0 there.
    """
    if not len(first):
        return np.zeros(0, np.int64), np.zeros(0)
    chosen = first.argmax(1)
    trials = int(counts[0].sum())
    found = radius(lower_bound(counts[np.arange(len(chosen)), chosen], trials, alpha), sigma)
    return np.where(found > 0, chosen, ABSTAIN), found


def predict(counts: np.ndarray, alpha: float) -> np.ndarray:
    """Classes (B,) int64 by votes (B, C), `ABSTAIN` where the first two could as well be even (algorithm PREDICT, by a two-sided test)."""
    order = np.argsort(-counts, axis=1, kind="stable")
    answers = np.full(len(counts), ABSTAIN, np.int64)
    for i, places in enumerate(order):
        top = int(counts[i, places[0]])
        second = int(counts[i, places[1]]) if counts.shape[1] > 1 else 0
        if top and binomtest(top, top + second, 0.5).pvalue <= alpha:
            answers[i] = places[0]
    return answers

"""Turning probabilities of independent classes into decisions: a threshold per class, or the k most probable."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vidi.errors import InputError

Objective = Literal["f1", "cost", "recall", "precision"]


def best_thresholds(
    probabilities: np.ndarray,
    truth: np.ndarray,
    objective: Objective = "f1",
    *,
    cost_fp: float = 1.0,
    cost_fn: float = 1.0,
    floor: float = 0.9,
) -> np.ndarray:
    """The best threshold for each class; a class is predicted where its probability ≥ its threshold.

    Every cut between two different probabilities is tried, "all" and "none" included. Of equally good cuts the one in the
    widest gap is taken, in its middle. A threshold is exact in the probabilities' own precision.

    Args:
        probabilities: (N, C) in 0..1.
        truth: (N, C), 1 where the class is present (soft values count from 0.5); NaN is not counted.
        objective: ``f1``: highest F1. ``cost``: lowest cost_fp · false positives + cost_fn · false negatives.
            ``recall``: highest precision among cuts with recall ≥ `floor`. ``precision``: highest recall among cuts with
            precision ≥ `floor`, and where there is none, the highest precision.

    Returns:
        (C,) float64; 0.5 for a class without positives. "None" lies above the highest probability, so it can exceed 1.

    Raises:
        InputError: shapes differ, a probability is not finite, or an option is out of range.
    """
    probabilities, truth = np.asarray(probabilities), np.asarray(truth)
    _check(probabilities, truth, objective, cost_fp, cost_fn, floor)
    if probabilities.dtype not in (np.float32, np.float64):
        probabilities = probabilities.astype(np.float64)
    if probabilities.size == 0:
        return np.full(probabilities.shape[1], 0.5)
    known = ~np.isnan(truth.astype(np.float64))
    positive = known & (np.nan_to_num(truth.astype(np.float64)) >= 0.5)
    scores = np.where(known, probabilities, probabilities.dtype.type(-np.inf))
    order = np.argsort(-scores, axis=0)
    scores = np.take_along_axis(scores, order, axis=0)
    found = _from_zero(np.take_along_axis(positive, order, axis=0))  # (N + 1, C): positives among the first k
    chosen = _from_zero(np.take_along_axis(known, order, axis=0))  # entries among the first k
    first, second = _goodness(found, chosen, objective, cost_fp, cost_fn, floor)

    cut, count = np.arange(len(found))[:, None], known.sum(0)
    ceiling = np.nextafter(np.maximum(scores[:1], 1), np.inf, dtype=scores.dtype)
    above, below = np.concatenate([ceiling, scores]), np.concatenate([scores, np.zeros_like(ceiling)])
    below = np.where(cut == count, np.minimum(above, 0), below)
    gap = np.where(cut <= count, above, 0) - np.where(cut <= count, below, 0)
    usable = (cut == count) | ((cut < count) & (gap > 0))
    for goodness in (first, second, gap):
        usable &= goodness == np.where(usable, goodness, -np.inf).max(0)
    best = usable.argmax(0)[None]
    high, low = np.take_along_axis(above, best, axis=0)[0], np.take_along_axis(below, best, axis=0)[0]
    middle = low + (high - low) / 2
    return np.where(positive.any(0), np.where(middle > low, middle, high), 0.5).astype(np.float64)


def _from_zero(flags: np.ndarray) -> np.ndarray:
    """Running counts down the columns, with a row of zeros on top."""
    return np.concatenate([np.zeros((1, flags.shape[1])), np.cumsum(flags, axis=0, dtype=np.float64)])


def _goodness(
    found: np.ndarray, chosen: np.ndarray, objective: str, cost_fp: float, cost_fn: float, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """What the objective makes of each cut, and what decides between equals; larger is better, all (N + 1, C)."""
    positives = found[-1]
    precision, recall = found / np.maximum(chosen, 1), found / np.maximum(positives, 1)
    if objective == "f1":
        return 2 * found / np.maximum(chosen + positives, 1), np.zeros_like(found)
    if objective == "cost":
        return -(cost_fp * (chosen - found) + cost_fn * (positives - found)), np.zeros_like(found)
    if objective == "recall":
        return np.where(found >= floor * positives - 1e-9, precision, -np.inf), recall
    enough = (found >= floor * chosen - 1e-9) & (found > 0)
    return np.where(enough, 2 + recall, precision), np.where(enough, precision, recall)


def _check(probabilities: np.ndarray, truth: np.ndarray, objective: str, cost_fp: float, cost_fn: float, floor: float) -> None:
    if probabilities.ndim != 2 or probabilities.shape != truth.shape:
        raise InputError("probabilities and truth must have one shape (N, C)", value=f"{probabilities.shape} and {truth.shape}")
    if not np.isfinite(probabilities).all():
        raise InputError("probabilities must be finite", at=int(np.argwhere(~np.isfinite(probabilities))[0, 0]))
    if objective not in ("f1", "cost", "recall", "precision"):
        raise InputError("no such objective for thresholds", value=objective, fix="one of: f1, cost, recall, precision")
    if not (cost_fp >= 0 and cost_fn >= 0 and cost_fp + cost_fn > 0):
        raise InputError("costs are 0 or more, and not both 0", value=f"cost_fp={cost_fp} cost_fn={cost_fn}")
    if not 0 <= floor <= 1:
        raise InputError("a floor of recall or precision lies in 0..1", value=floor)


def top_k(probabilities: np.ndarray, k: int) -> np.ndarray:
    """The k most probable classes of each sample, as a mask (N, C) bool; of equal ones the lower index is taken.

    Args:
        probabilities: (N, C).
        k: 1 or more; all classes where k ≥ C.
    """
    if k < 1:
        raise InputError("top-k decoding needs k of 1 or more", value=k)
    probabilities = np.asarray(probabilities)
    mask = np.zeros(probabilities.shape, dtype=bool)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    np.put_along_axis(mask, order, True, axis=1)
    return mask

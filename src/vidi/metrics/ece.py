"""Whether probabilities can be believed: expected calibration error, negative log-likelihood and Brier score.

Sources: Guo et al. 2017 (arXiv:1706.04599); Brier 1950 (doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.errors import InputError
from vidi.metrics._arrays import Estimator, class_indices, point, ratio, rounded, row_blocks, top_class
from vidi.ops.curves import bin_index, calibration_bins

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"ece": False, "nll": False, "brier": False}

BINS = 15
_LEAST = float(np.finfo(np.float32).eps)


def _claims(truth: np.ndarray, predicted: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence and outcome of every claim, and the sample that made it, each (M,).

    Exclusive classes: one claim a sample, that its top class is right. Others: one a known class, that it is present.
    """
    if space.exclusive:
        index = class_indices(truth)
        rows = np.flatnonzero(index >= 0)
        if not len(rows):
            return np.zeros(0), np.zeros(0), rows
        return predicted[rows].max(1), (index == top_class(predicted))[rows].astype(np.float64), rows
    known = ~np.isnan(truth)
    rows = np.broadcast_to(np.arange(len(truth))[:, None], truth.shape)
    return predicted[known], truth[known].astype(np.float64), rows[known]


def _losses(truth: np.ndarray, predicted: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of log loss and squared error over what is known of each sample, and how much that is, each (N,)."""
    log_loss, squared, known = np.zeros(len(truth)), np.zeros(len(truth)), np.zeros(len(truth))
    for rows in row_blocks(truth):
        target, chance = truth[rows].astype(np.float64), predicted[rows].astype(np.float64)
        if space.exclusive:
            index = class_indices(truth[rows])
            known[rows] = index >= 0
            partial = np.isnan(target).any(1, keepdims=True)
            target = np.where(partial, index[:, None] == np.arange(target.shape[1]), target)
        else:
            known[rows] = (~np.isnan(target)).sum(1)
        squared[rows] = np.nansum((chance - target) ** 2, axis=1)
        chance = np.clip(chance, _LEAST, 1 - _LEAST)
        loss = -target * np.log(chance)
        if not space.exclusive:
            loss -= (1 - target) * np.log1p(-chance)
        log_loss[rows] = np.nansum(loss, axis=1)
    return np.where(known > 0, log_loss, 0), np.where(known > 0, squared, 0), known


def _check(predicted: np.ndarray) -> None:
    outside = (predicted < -1e-3) | (predicted > 1 + 1e-3)
    if outside.any():
        place = np.argwhere(outside)[0]
        fix = "give probabilities (after softmax or sigmoid), not logits"
        raise InputError("probabilities lie in 0..1", at=int(place[0]), value=predicted[tuple(place)], fix=fix)


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    _check(predicted)
    confidence, outcome, rows = _claims(truth, predicted, space)
    place = rows * BINS + bin_index(confidence, BINS)
    gaps = np.bincount(place, weights=confidence - outcome, minlength=len(truth) * BINS).reshape(-1, BINS)
    claims = np.bincount(rows, minlength=len(truth)).astype(np.float64)
    log_loss, squared, known = _losses(truth, predicted, space)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights @ known
        ece = ratio(np.abs(weights @ gaps).sum(1), weights @ claims)
        return {"ece": ece, "nll": ratio(weights @ log_loss, total), "brier": ratio(weights @ squared, total)}

    return estimate


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``ece`` (15 equal bins, 0..1), ``nll`` (nats; probabilities kept 1.2e-7 away from 0 and 1) and ``brier``.

    Exclusive classes: ``ece`` is about the top class, ``nll`` is the cross-entropy, and ``brier`` sums over the classes (0..2).
    Others: all three are means over the known entries, each class a yes or no (``brier`` in 0..1).

    Args:
        truth: (N, C), soft values allowed; NaN is left out.
        predicted: (N, C) probabilities.

    Raises:
        InputError: a probability outside 0..1.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The reliability diagram, and how many claims fall into each bin."""
    confidence, outcome, _ = _claims(truth, predicted, space)
    if not len(confidence):
        return []
    count, claimed, observed = calibration_bins(confidence, outcome, BINS)
    filled = count > 0
    labels = [f"{b / BINS:.2f}–{(b + 1) / BINS:.2f}" for b in range(BINS)]
    ylabel = "accuracy" if space.exclusive else "share present"
    series = [{"name": "observed", "x": rounded(claimed[filled]), "y": rounded(observed[filled])}]
    return [
        {"kind": "lines", "title": "Reliability", "xlabel": "confidence", "ylabel": ylabel, "series": series, "diagonal": True},
        {"kind": "bars", "title": "Confidence", "labels": labels, "values": count.tolist(), "low": [], "high": []},
    ]

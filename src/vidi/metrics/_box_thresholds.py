"""Score thresholds of detectors: those in use, counts at every threshold, and the best one for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from vidi.core.space import Space
from vidi.errors import InputError
from vidi.labels import Detections
from vidi.metrics._arrays import thresholds
from vidi.metrics._matching import FOUND, Things, gather, match
from vidi.metrics._measures import by_what

Objective = Literal["f1", "precision", "recall"]

SCORE = 0.25


def score_thresholds(settings: Mapping[str, Any], space: Space, count: int) -> np.ndarray:
    """The score thresholds in use, (C,): those of ``settings["thresholds"]``, otherwise 0.25."""
    return np.full(count, SCORE) if settings.get("thresholds") is None else thresholds(settings, space, count)


def found_and_counted(things: Things, iou: float = FOUND) -> tuple[np.ndarray, np.ndarray]:
    """Which predictions are true positives and which count at all (those in crowds do not), both (P,) bool."""
    target = match(things, np.array([iou]))[0]
    spared = np.append(things.truth.crowd, False)[target]
    return (target >= 0) & ~spared, ~spared


def cuts(scores: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every distinct score as a threshold, falling (G,), with the true positives and predictions that reach it, both (G,).

    Args:
        scores: (M,) of the counted predictions.
        hit: (M,) bool, the true positives.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)[: len(ordered)]
    return ordered[ends], np.cumsum(hit[order])[ends], ends + 1


def best_box_thresholds(
    truth: Sequence[Detections],
    predicted: Sequence[Detections],
    space: Space,
    objective: Objective = "f1",
    floor: float = 0.9,
    *,
    iou: float = FOUND,
) -> np.ndarray:
    """The best score threshold for each class, by masks where truth and predictions have them, otherwise by boxes; a prediction is kept where its score ≥ the threshold of its class.

    Of equally good thresholds the one in the widest gap between scores is taken, in its middle.

    Args:
        truth, predicted: one label per picture; predictions down to low scores, or there is little to choose from.
        space: what the classes are.
        objective: ``f1``: highest F1. ``precision``: highest recall among thresholds with precision ≥ `floor`, and where there is
            none, the highest precision. ``recall``: highest precision among thresholds with recall ≥ `floor`, and where there is
            none, the highest recall.
        floor: in 0..1.
        iou: smallest overlap that counts as found.

    Returns:
        (C,) float64 in 0..1; 0.5 for a class without true things or without predictions.

    Raises:
        InputError: unknown objective, or a floor out of range.
    """
    if objective not in ("f1", "precision", "recall"):
        raise InputError("no such objective for thresholds of boxes", value=objective, fix="one of: f1, precision, recall")
    if not 0 <= floor <= 1:
        raise InputError("a floor of recall or precision lies in 0..1", value=floor)
    things = gather(truth, predicted, space, floor=iou, measure=by_what(truth, predicted))
    hit, counted = found_and_counted(things, iou)
    positives = np.bincount(things.truth.classes[~things.truth.crowd], minlength=things.classes)
    best = np.full(things.classes, 0.5)
    for c in np.flatnonzero(positives):
        own = counted & (things.predicted.classes == c)
        if own.any():
            best[c] = _best(*cuts(things.predicted.scores[own], hit[own]), positives[c], objective, floor)
    return best


def _best(
    scores: np.ndarray, found: np.ndarray, chosen: np.ndarray, positives: int, objective: Objective, floor: float
) -> float:
    precision, recall = found / chosen, found / positives
    first, second = 2 * found / (chosen + positives), np.zeros(len(found))
    if objective == "precision":
        enough = found >= floor * chosen - 1e-9
        first, second = np.where(enough, 2 + recall, precision), np.where(enough, precision, recall)
    elif objective == "recall":
        enough = found >= floor * positives - 1e-9
        first, second = np.where(enough, 2 + precision, recall), np.where(enough, recall, precision)
    below = np.append(scores[1:], min(0.0, scores[-1]))
    usable = first == first.max()
    usable &= second == second[usable].max()
    place = np.flatnonzero(usable)[np.argmax((scores - below)[usable])]
    middle = np.float32(below[place] + (scores[place] - below[place]) / 2)
    return float(middle if middle > below[place] else scores[place])

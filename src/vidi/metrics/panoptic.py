"""Panoptic quality of things with outlines.

Kirillov et al. 2019, "Panoptic segmentation": in each picture every pixel belongs to at most one true and one predicted thing; a
predicted and a true thing of one class that overlap with IoU above 0.5 match, and no other can then. PQ = sum of the matches' IoU /
(matches + half of the unmatched), the product of SQ (the matches' mean IoU) and RQ (their F1).

Where things overlap, a pixel goes to the one with the higher score, of equal ones to the smaller, which as a rule lies in front; a
predicted thing of whose pixels less than half is still free is dropped, as in the paper's section 5. A predicted thing of which more than
half lies in a crowd of its class does not count as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import Estimator, mean_defined, names_of, point, ratio, table
from vidi.metrics._box_thresholds import score_thresholds
from vidi.metrics._flat import canvas, flattened
from vidi.metrics._maps import columns, remembered
from vidi.metrics._matching import wanted_things

FAMILIES = frozenset({"Detections"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"pq": True, "sq": True, "rq": True}

IOU = 0.5
KEPT = 0.5
CROWDED = 0.5


@remembered
def matches(true: Detections, guess: Detections, thresholds: tuple[float, ...], size: tuple[int, int] | None) -> np.ndarray:
    """The sum of the matches' IoU, matches, predicted things and true things by class of one picture, (C, 4) float64.

    Args:
        true, guess: the things of a picture; one without mask or outline is its box, filled.
        thresholds: the C scores that predictions must reach.
        size: (height, width) of the picture; None: what the labels tell of it.
    """
    guess = guess[guess.scores >= np.array(thresholds)[guess.classes]]
    crowd = np.zeros(len(true), bool) if true.crowd is None else true.crowd
    shape = canvas([true, guess], size)
    left, right = flattened(true, shape, last=crowd), flattened(guess, shape, kept=KEPT)
    code = (left.owners + 1) * (len(guess) + 1) + right.owners + 1
    table = np.bincount(code.ravel(), minlength=(len(true) + 1) * (len(guess) + 1)).reshape(len(true) + 1, len(guess) + 1)
    shared = np.where(true.classes[:, None] == guess.classes, table[1:, 1:], 0)

    iou = ratio(shared, left.areas[:, None] + right.areas - shared)
    hit = (iou > IOU) & ~crowd[:, None]
    spared = ~hit.any(0) & (shared[crowd].sum(0) > CROWDED * right.areas)
    found, count = np.nonzero(hit), len(thresholds)
    wanted, chosen = ~crowd & (left.areas > 0), (right.areas > 0) & ~spared
    parts = [np.bincount(true.classes[found[0]], weights, count) for weights in (iou[found], None)]
    parts += [np.bincount(classes[part], minlength=count) for classes, part in ((guess.classes, chosen), (true.classes, wanted))]
    return np.stack(parts, 1).astype(np.float64)


def _all_matches(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> np.ndarray:
    """`matches` of N pictures, (N, C, 4)."""
    highest = max((int(label.classes.max()) for label in (*truth, *predicted) if len(label)), default=-1)
    count = max(len(space), highest + 1)
    used = tuple(score_thresholds(settings, space, count).tolist())
    sizes = [None] * len(truth) if settings.get("sizes") is None else [tuple(size) for size in settings["sizes"]]
    found = [matches(true, guess, used, size) for true, guess, size in zip(truth, predicted, sizes)]
    return np.stack(found) if found else np.zeros((0, count, 4))


def _qualities(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PQ, SQ and RQ of sums (…, 4), NaN where there is nothing; without a match all are 0."""
    iou, hits, chosen, wanted = np.moveaxis(sums, -1, 0)
    whole = (chosen + wanted) / 2
    return ratio(iou, whole), np.where(whole > 0, iou / np.where(hits > 0, hits, 1), np.nan), ratio(hits, whole)


def estimator(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    counted = _all_matches(truth, predicted, space, settings)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        parts = _qualities(np.einsum("rn,nck->rck", weights, counted))
        return {name: mean_defined(part) for name, part in zip(("pq", "sq", "rq"), parts)}

    return estimate


def numbers(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``pq sq rq`` in 0..1, means over the classes that have things in truth or prediction.

    Args:
        truth: N labels; crowds need not be found. Things whose every pixel lies under others are not there.
        predicted: N labels; predictions whose score reaches ``settings["thresholds"]`` (0.25) count.
        settings: also ``sizes``, the (height, width) of each picture, where the labels have no masks that tell it.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: Sequence[Detections], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many things there are to find."""
    return dict.fromkeys(HIGHER_IS_BETTER, int(wanted_things(truth).sum()))


def figures(
    truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of classes: things there are, found, predicted, and the three qualities."""
    sums = _all_matches(truth, predicted, space, settings).sum(0)
    if not sums[:, 2:].any():
        return []
    parts = [names_of(space, len(sums)), *columns(*sums[:, [3, 1, 2]].T.astype(int), *_qualities(sums))]
    heads = ["class", "n", "found", "predicted", "pq", "sq", "rq"]
    return [table("Panoptic quality by class", heads, [list(row) for row in zip(*parts)], _qualities(sums)[0])]

"""Connected regions of true and predicted class maps, and how well they cover each other.

Chan et al. 2021, "SegmentMeIfYouCan", section 4.2. A true region's IoU compares it with all predicted regions of its class that touch
it, sparing what of them lies in other true regions of the class (their adjusted IoU, sIoU); a predicted region's precision is the share
of its pixels that truly have its class (their PPV).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import names_of
from vidi.metrics._maps import UNKNOWN, known_maps, remembered
from vidi.metrics._matching import AREAS
from vidi.ops.components import Components, components

LEVELS = np.linspace(0.25, 0.75, 11)
"""The covers from which on a region counts as found."""
SIZES = ("small", "medium", "large")
HALF = 0.5
LISTED = 12


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of one picture.

    Args:
        quality: (2, 3, 3) float64, of true and of predicted regions by size: how many there are, the sum of their IoU or precision,
            and how many have more than one half.
        right: (2, 11) float64, how many true and how many predicted regions have more than each of `LEVELS`.
        missed: the largest true regions of which at most half of the pixels are right, at most twelve, as plain values:
            ``box`` [x1, y1, x2, y2], ``area``, ``class``, and ``cover``, the share of right pixels.
        false: the same of the predicted regions.
    """

    quality: np.ndarray
    right: np.ndarray
    missed: list[dict[str, Any]]
    false: list[dict[str, Any]]


@remembered
def regions(true: Segmentation, guess: Segmentation) -> Regions:
    """Look at the regions of one picture; pixels of unknown truth are in none."""
    first, second = known_maps(true, guess)
    left, right = components(first), components(second)
    shared = first == second
    shared &= first != UNKNOWN
    code, pixels = np.unique(left.labels[shared] * len(right) + right.labels[shared], return_counts=True)
    truly, guessed = (code // len(right), code % len(right)) if len(right) else (code, code)
    inside = np.bincount(truly, weights=pixels, minlength=len(left))
    precise = np.bincount(guessed, weights=pixels, minlength=len(right))
    spill = np.bincount(truly, weights=(right.areas - precise)[guessed], minlength=len(left))
    scores = inside / np.maximum(left.areas + spill, 1), precise / np.maximum(right.areas, 1)
    known = left.classes != UNKNOWN, right.classes != UNKNOWN
    sides = list(zip((left, right), scores, known))
    return Regions(
        np.stack([_by_size(*side) for side in sides]),
        np.stack([(score[real][:, None] > LEVELS).sum(0) for _, score, real in sides]).astype(np.float64),
        _largest(left, inside / np.maximum(left.areas, 1), known[0]), _largest(right, scores[1], known[1]),
    )  # fmt: skip


def _by_size(parts: Components, score: np.ndarray, known: np.ndarray) -> np.ndarray:
    edges = [AREAS[name][0] for name in SIZES[1:]]
    size = np.searchsorted(edges, parts.areas[known], side="left")  # as COCO: a region of just 32² pixels is small
    values = score[known]
    return np.stack([np.bincount(size, weights=part, minlength=3) for part in (np.ones(len(values)), values, values > HALF)], 1)


def _largest(parts: Components, cover: np.ndarray, known: np.ndarray) -> list[dict[str, Any]]:
    bad = np.flatnonzero(known & (cover <= HALF))
    chosen = bad[np.argsort(-parts.areas[bad], kind="stable")][:LISTED]
    return [
        {"box": parts.boxes[i].tolist(), "area": int(parts.areas[i]), "class": int(parts.classes[i]), "cover": float(cover[i])}
        for i in chosen.tolist()
    ]


def worst_regions(
    truth: Sequence[Segmentation | None], predicted: Sequence[Segmentation], ids: Sequence[str], space: Space, *, count: int = LISTED
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The largest regions that are missed, and the largest seen where there is something else.

    Args:
        truth: one label per picture; None: not known, the picture is left out.
        predicted: one label per picture.
        ids: the pictures' names.
        space: what the classes are.
        count: at most so many of each, and at most twelve of one picture.

    Returns:
        missed and false regions by falling area, plain JSON values: those of `Regions` and ``index``, ``id`` and ``name``.
    """
    found: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for index, (true, guess) in enumerate(zip(truth, predicted)):
        if true is None:
            continue
        own = regions(true, guess)
        for side, listed in zip(found, (own.missed, own.false)):
            side += [{"index": index, "id": ids[index], **region} for region in listed]
    names = names_of(space, 1 + max((region["class"] for side in found for region in side), default=-1))
    return tuple(  # type: ignore[return-value]
        [region | {"name": names[region["class"]]} for region in sorted(side, key=lambda one: -one["area"])[:count]] for side in found
    )

"""What the metrics about borders of classes share: border pixels by class, and values by picture and class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._maps import UNKNOWN

Look = Callable[[Segmentation, Segmentation], Mapping[int, tuple[float, ...]]]


def points_by_class(classes: np.ndarray, chosen: np.ndarray) -> dict[int, np.ndarray]:
    """The chosen pixels (H, W) bool of each known class of a map (H, W): (K, 2) int64 rows and columns."""
    points = np.argwhere(chosen)
    values = classes[chosen]
    order = np.argsort(values, kind="stable")
    present, starts = np.unique(values[order], return_index=True)
    parts = np.split(points[order], starts[1:])
    return {c: part for c, part in zip(present.tolist(), parts) if c != UNKNOWN}


def by_picture(look: Look, truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space) -> np.ndarray:
    """What a function says of each picture's classes, (N, C, K) float64; NaN for classes it says nothing of."""
    found = [look(true, guess) for true, guess in zip(truth, predicted)]
    highest = max((c for part in found for c in part), default=-1)
    width = max((len(values) for part in found for values in part.values()), default=3)
    values = np.full((len(found), max(len(space), highest + 1), width), np.nan)
    for row, part in enumerate(found):
        for c, own in part.items():
            values[row, c] = own
    return values

"""Training at several input sizes: which size a step has is a pure function of the run's seed and the step's number."""

from __future__ import annotations

import numpy as np

from vidi.core.seeds import Draw

MULTIPLE, EVERY = 32, 10


def size_at(
    step: int, seed: int, size: tuple[int, int], spread: float, *, every: int = EVERY, multiple: int = MULTIPLE
) -> tuple[int, int]:
    """The input (height, width) of a step, the same for `every` steps in a row.

    Args:
        step: number of the batch since the run began, 0 or more.
        seed: of the run.
        size: the recipe's (height, width).
        spread: sides go from 1 − spread to 1 + spread times their own, 0..0.9; 0 keeps `size`.
        multiple: of which sides are multiples.
    """
    if spread <= 0:
        return size
    steps = max(size) / multiple
    low, high = max(1, round(steps * (1 - spread))), max(1, round(steps * (1 + spread)))
    chosen = low + int(Draw.samples(seed, 0, np.array([step // every])).child("input size").integers(high - low + 1)[0])
    tall, wide = (max(multiple, round(side * chosen / steps / multiple) * multiple) for side in size)
    return tall, wide

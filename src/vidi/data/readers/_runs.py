"""Run lengths out of maps and out of pairs of start and length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vidi.labels import Runs
from vidi.ops.runs import runs


def things_of(values: np.ndarray, skip: Sequence[int] = (0,)) -> Iterator[tuple[int, Runs]]:
    """Each value of a map (H, W) with the pixels that have it, by rising value.

    Args:
        skip: values that are no things.
    """
    size = values.shape[0], values.shape[1]
    kinds, lengths = runs(values.ravel(order="F"))
    starts = np.cumsum(lengths) - lengths
    kept = np.flatnonzero(~np.isin(kinds, np.asarray(skip, kinds.dtype)))
    kept = kept[np.argsort(kinds[kept], kind="stable")]
    if not len(kept):
        return
    different, first = np.unique(kinds[kept], return_index=True)
    for kind, group in zip(different.tolist(), np.split(kept, first[1:])):
        yield kind, Runs(size, counts_of(starts[group], lengths[group], size[0] * size[1]))


def counts_of(starts: np.ndarray, lengths: np.ndarray, total: int) -> np.ndarray:
    """COCO's counts (zeros first) of rising runs that neither touch nor overlap, out of `total` pixels: (R,) int64."""
    if not len(starts):
        return np.array([total], np.int64)
    ends = starts + lengths
    counts = np.zeros(2 * len(starts) + 1, np.int64)
    counts[0], counts[2:-1:2], counts[-1] = starts[0], starts[1:] - ends[:-1], total - ends[-1]
    counts[1::2] = lengths
    return counts if counts[-1] else counts[:-1]


def united(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs in any order as rising ones; those that touch or overlap become one, those of length 0 go."""
    held = lengths > 0
    starts, lengths = starts[held], lengths[held]
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], (starts + lengths)[order]
    reach = np.maximum.accumulate(ends)
    new = np.ones(len(starts), bool)
    new[1:] = starts[1:] > reach[:-1]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(starts)) - 1 if len(first) else first
    return starts[first], reach[last] - starts[first]

"""Run lengths: masks and class maps as short lists of integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A flat array as (values of its runs, their lengths)."""
    if values.size == 0:
        return values[:0], np.zeros(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    return values[starts], np.diff(np.append(starts, values.size))


def mask_to_counts(mask: np.ndarray) -> list[int]:
    """A mask (H, W) as COCO's uncompressed run lengths: column by column, zeros first."""
    values, lengths = runs(np.asarray(mask, bool).ravel(order="F"))
    counts = lengths.tolist()
    return [0, *counts] if values.size and values[0] else counts


def counts_to_mask(counts: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """The inverse of `mask_to_counts`: (H, W) bool.

    Raises:
        ValueError: the runs do not fill the picture.
    """
    lengths = np.asarray(counts, np.int64)
    if lengths.sum() != size[0] * size[1] or (lengths < 0).any():
        raise ValueError(f"run lengths: expected a sum of {size[0] * size[1]}, got {lengths.sum()}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(size, order="F")

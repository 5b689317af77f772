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


def pack_counts(counts: Sequence[int]) -> str:
    """Run lengths as COCO's compressed string: differences to the run before the last, five bits a character, lowest first."""
    characters: list[str] = []
    for index, count in enumerate(counts):
        rest = int(count) - (int(counts[index - 2]) if index > 2 else 0)
        more = True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            characters.append(chr(bits + 48 + (32 if more else 0)))
    return "".join(characters)


def unpack_counts(text: str) -> np.ndarray:
    """The inverse of `pack_counts`: (R,) int64.

    Raises:
        ValueError: a character that does not belong there, a number of more than 35 bits, or an end within a number.
    """
    codes = np.frombuffer(text.encode("utf-8", errors="replace"), np.uint8).astype(np.int64) - 48
    if len(codes) == 0:
        return codes
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError("compressed run lengths: a character that does not belong there")
    ends = np.flatnonzero(codes < 32)
    if len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise ValueError("compressed run lengths: the last number is not whole")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise ValueError("compressed run lengths: a number of more than 35 bits")
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    values -= np.where(codes[ends] & 16, np.int64(1) << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values

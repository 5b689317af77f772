"""Small versions and hashes of pictures that barely change when a picture is encoded again or resized. Numpy only.

Two ways to propose pairs: `correlated_pairs` compares each with each by one matrix product per block (60,000 pictures in
about a second), `banded_pairs` looks up shared bands of a perceptual hash and grows nearly linearly. Both only propose;
on pictures of little texture (digits, documents) a closer look at the proposed pairs must decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np


def luma(pixels: np.ndarray) -> np.ndarray:
    """Gray levels of RGB pixels by ITU-R BT.601, rounded as Pillow does: (..., 3) uint8 → (...) uint8."""
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


@lru_cache(maxsize=256)
def area_weights(source: int, target: int) -> np.ndarray:
    """The matrix (target, source) float32 that averages `source` pixels into `target` equal intervals (also enlarges)."""
    edges = np.arange(target + 1) * (source / target)
    cells = np.arange(source)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return (np.clip(overlap, 0, None) * (target / source)).astype(np.float32)


def shrink(gray: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Area average of gray pictures: (B, H, W) → (B, *size) float32."""
    rows = area_weights(gray.shape[1], size[0])
    columns = area_weights(gray.shape[2], size[1])
    return rows @ (gray.astype(np.float32) @ columns.T)


@lru_cache(maxsize=8)
def _basis(side: int) -> tuple[np.ndarray, np.uint64]:
    """The cosine transform at frequencies 0..7 down and across but the constant, (side², 64) float32, and the bits of those
    that are odd across. The bit of the constant stays 0."""
    grid, waves = np.arange(side), np.arange(8)
    cosines = np.cos(np.pi * (2 * grid + 1) * waves[:, None] / (2 * side))
    basis = np.einsum("vy,ux->yxvu", cosines, cosines).reshape(side * side, 64)
    basis[:, 0] = 0
    odd = np.packbits(np.tile(waves % 2, 8).astype(np.uint8)).view(np.uint64)[0]
    return basis.astype(np.float32), odd


def phash(gray: np.ndarray) -> np.ndarray:
    """Signs of the 63 lowest cosine frequencies of square gray pictures: (B, S, S), S ≥ 8 → (B,) uint64.

    Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", with zero in place of the median,
    so that the hash of the picture flipped left to right follows by `mirrored`.
    """
    basis, _ = _basis(gray.shape[1])
    bits = gray.reshape(len(gray), len(basis)).astype(np.float32) @ basis > 0
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def mirrored(hashes: np.ndarray) -> np.ndarray:
    """The `phash` of the same pictures flipped left to right."""
    return hashes ^ _basis(8)[1]


def hamming(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of differing bits of uint64 hashes, uint8, with broadcasting."""
    return np.bitwise_count(first ^ second)


def standardized(gray: np.ndarray) -> np.ndarray:
    """Pictures (B, ...) as rows of mean 0 and deviation 1, (B, D ≥ 1) float32; a constant picture becomes zeros."""
    width = max(1, int(np.prod(gray.shape[1:])))
    flat = gray.reshape(len(gray), width).astype(np.float32)
    ones = np.full(width, 1 / width, np.float32)
    flat -= (flat @ ones)[:, None]
    spread = np.sqrt(np.einsum("ij,ij->i", flat, flat) / width)[:, None]
    return np.divide(flat, spread, out=np.zeros_like(flat), where=spread > 1e-3)


def correlated_pairs(
    first: np.ndarray, second: np.ndarray, least: float, *, workers: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs i < j of standardized rows whose correlation is at least `least`, comparing each with each.

    Args:
        first, second: (N, D) from `standardized`, of the same N pictures (the same array, or one of them flipped).

    Yields:
        indices i and j, (P,) int64 each, block by block with i rising; memory stays bounded however many pairs there are.
    """
    count, width = first.shape
    tall, wide = max(16, min(512, (1 << 24) // max(1, count))), 2048
    floor = least * width

    def block(start: int) -> tuple[np.ndarray, np.ndarray]:
        rows, found = first[start : start + tall], []
        for left in range(start, count, wide):
            products = rows @ second[left : left + wide].T
            if products.max() >= floor:
                i, j = np.nonzero(products >= floor)
                found.append((i + start, j + left))
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        i, j = (np.concatenate(part) for part in zip(*found))
        return i[i < j], j[i < j]

    yield from ordered_map(block, range(0, count, tall), workers)


def ordered_map(function: Callable[[Any], Any], items: Iterable[Any], workers: int = 1) -> Iterator[Any]:
    """Results of a function in the order of its items, computed by threads that run only a little ahead."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def banded_pairs(first: np.ndarray, second: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs i < j of hashes, (N,) uint64 each, within `radius` bits that share one of four bands of 16 bits: every pair
    within 3 bits and most of those a little farther. Nearly linear in N.

    Yields:
        indices i and j, (P,) int64 each; a pair that shares several bands comes several times.
    """
    for band in range(4):
        shift = np.uint64(16 * band)
        left, right = ((hashes >> shift & np.uint64(0xFFFF)).astype(np.int64) for hashes in (first, second))
        order = np.argsort(right, kind="stable")
        begin, end = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
        widths = end - begin
        for part in _runs(widths, 1 << 22):
            lengths = widths[part]
            i = np.repeat(np.arange(part.start, part.stop), lengths)
            offset = np.arange(len(i)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            j = order[np.repeat(begin[part], lengths) + offset]
            keep = (i < j) & (hamming(first[i], second[j]) <= radius)
            yield i[keep], j[keep]


def _runs(widths: np.ndarray, budget: int) -> Iterator[slice]:
    """Slices of rows whose widths add up to about `budget` each."""
    total = np.cumsum(widths)
    start = 0
    while start < len(widths):
        base = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, base + budget, side="right")))
        yield slice(start, stop)
        start = stop

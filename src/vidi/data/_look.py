"""One pass over the pictures of a data set: what is measured of each, in threads or in blocks of arrays. Judges nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.images import decode_sized, open_image, read_bytes
from vidi.data._boxes import Boxes, boxes_of
from vidi.data._maps import Maps, maps_of
from vidi.data._workers import cores
from vidi.errors import ImageError, VidiError
from vidi.ops import hashing

if TYPE_CHECKING:
    from vidi.data._near import Near
    from vidi.data.readers._ask import Fault

THUMB = 16
"""Side in pixels of the small gray version kept of every picture."""

WORK = 128
"""Short side in pixels, at most, at which a picture is measured."""

_SMALL = 64
"""Pictures up to this side are measured in blocks of one size; a single larger one is reduced first."""

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all."""


@dataclass(eq=False)
class Looks:
    """What was seen, in columns with one row per sample; numbers are NaN and sizes 0 where a picture was not read.

    Args:
        dataset: the samples looked at.
        asked: (N,) bool, whether the sample was to be looked at (all, unless a limit was set).
        seen: (N,) bool, whether its picture was decoded.
        errors: why not, by row.
        size: (N, 2) int32, height and width, upright.
        format: the file's true format (``JPEG``), "" for arrays.
        mode: how pixels are stored, in Pillow's words (``L``, ``RGB``, ``I;16``), "" where not read.
        content, pixels: digests of the file's bytes and of the decoded pixels.
        mean, spread: of the gray levels 0..255, float32.
        low, high: their 5th and 95th percentile, float32.
        sharpness: log10 of the variance of the Laplacian over the variance, at `WORK` pixels; NaN where nothing is to be seen.
        color: (N, 3) float32, mean red, green and blue.
        colored: (N,) bool, whether the pixels are other than gray.
        thumb: (N, THUMB, THUMB) uint8, the gray picture squeezed into a square.
        near: near duplicates, if they were searched for.
        faults: what the reader could not use.
    """

    dataset: Dataset
    asked: np.ndarray
    seen: np.ndarray
    errors: dict[int, VidiError] = field(default_factory=dict)
    size: np.ndarray = field(init=False)
    format: list[str] = field(init=False)
    mode: list[str] = field(init=False)
    content: list[bytes | None] = field(init=False)
    pixels: list[bytes | None] = field(init=False)
    mean: np.ndarray = field(init=False)
    spread: np.ndarray = field(init=False)
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)
    sharpness: np.ndarray = field(init=False)
    color: np.ndarray = field(init=False)
    colored: np.ndarray = field(init=False)
    thumb: np.ndarray = field(init=False)
    near: Near | None = None
    faults: Sequence[Fault] = ()

    def __post_init__(self) -> None:
        count = len(self.dataset)
        self.size = np.zeros((count, 2), np.int32)
        self.format, self.mode = [""] * count, [""] * count
        self.content, self.pixels = [None] * count, [None] * count
        self.mean, self.spread, self.low, self.high, self.sharpness = (np.full(count, np.nan, np.float32) for _ in range(5))
        self.color = np.full((count, 3), np.nan, np.float32)
        self.colored = np.zeros(count, bool)
        self.thumb = np.zeros((count, THUMB, THUMB), np.uint8)

    @property
    def rows(self) -> np.ndarray:
        """The rows whose picture was decoded, (M,) int64."""
        return np.flatnonzero(self.seen)

    @property
    def partial(self) -> bool:
        """Whether pictures were left out by a limit."""
        return not bool(self.asked.all())

    @cached_property
    def identical(self) -> list[list[int]]:
        """Rows with the same pixels, in groups of two or more, in order."""
        groups: dict[tuple[bytes, int, int], list[int]] = {}
        for row in self.rows.tolist():
            digest = self.pixels[row]
            if digest is not None:
                groups.setdefault((digest, *self.size[row].tolist()), []).append(row)
        return [group for group in groups.values() if len(group) > 1]

    @cached_property
    def boxes(self) -> Boxes:
        """All boxes of the labels, in columns."""
        return boxes_of(self.dataset, self.size, self.seen)

    @cached_property
    def maps(self) -> Maps:
        """What the class maps of the labels hold, in columns."""
        return maps_of(self.dataset)

    @cached_property
    def splits(self) -> list[str]:
        """The split of each sample, "" for none."""
        return [sample.split or "" for sample in self.dataset]


def look(dataset: Dataset, *, workers: int | None = None, progress: Progress | None = None, limit: int | None = None) -> Looks:
    """Look at every picture once.

    Args:
        dataset: what to look at; nothing of it is changed.
        workers: threads; None: one per core.
        progress: told how far it is.
        limit: look at so many pictures at most, evenly spread over the data.
    """
    count = len(dataset)
    asked = np.zeros(count, bool)
    if limit is not None and 0 < limit < count:
        asked[np.linspace(0, count - 1, limit).round().astype(np.int64)] = True
    else:
        asked[:] = True
    looks = Looks(dataset, asked, np.zeros(count, bool))
    if not any("image" in sample.inputs for sample in dataset):
        return looks
    jobs, total, done = list(_jobs(looks)), int(asked.sum()), 0
    with ThreadPoolExecutor(max(1, workers or cores())) as pool:
        futures = [pool.submit(work, looks, rows) for work, rows in jobs]
        try:
            for future in as_completed(futures):
                done += future.result()
                if progress is not None:
                    progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return looks


def _jobs(looks: Looks) -> Iterator[tuple[Callable[[Looks, list[int]], int], list[int]]]:
    """Small arrays of one shape in blocks, everything else in bunches."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    others: list[int] = []
    for row in np.flatnonzero(looks.asked).tolist():
        picture: Any = looks.dataset[row].inputs.get("image")
        if _plain_array(picture):
            shapes.setdefault(picture.shape, []).append(row)
        else:
            others.append(row)
    for shape, rows in shapes.items():
        block = max(1, (1 << 20) // int(np.prod(shape)))
        yield from ((_look_block, rows[start : start + block]) for start in range(0, len(rows), block))
    bunch = max(1, min(128, len(others) // 16))
    yield from ((_look_bunch, others[start : start + bunch]) for start in range(0, len(others), bunch))


def _plain_array(picture: Any) -> bool:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim not in (2, 3) or 0 in picture.shape:
        return False
    return max(picture.shape[:2]) <= _SMALL and (picture.ndim == 2 or picture.shape[2] in (1, 3))


def _look_block(looks: Looks, rows: list[int]) -> int:
    pictures = np.stack([looks.dataset[row].inputs["image"] for row in rows])
    looks.size[rows] = pictures.shape[1:3]
    for row, picture in zip(rows, pictures):
        looks.pixels[row] = _digest(picture)
        looks.mode[row] = "RGB" if pictures.shape[3:] == (3,) else "L"
    _measure_small(looks, np.array(rows), pictures)
    return len(rows)


def _digest(pixels: np.ndarray | bytes) -> bytes:
    data = np.ascontiguousarray(pixels).data if isinstance(pixels, np.ndarray) else pixels
    return hashlib.blake2b(data, digest_size=16).digest()


def _look_bunch(looks: Looks, rows: list[int]) -> int:
    """Decode pictures one by one, then measure those of equal size together."""
    groups: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    for row in rows:
        try:
            pixels = _look_one(looks, row)
        except VidiError as error:
            looks.errors[row] = error
        else:
            groups.setdefault(pixels.shape, []).append((row, pixels))
    for group in groups.values():
        at, stack = np.array([row for row, _ in group]), np.stack([pixels for _, pixels in group])
        if stack.ndim == 4:
            _measure_small(looks, at, stack)
        else:
            _measure(looks, at, stack)
    return len(rows)


def _look_one(looks: Looks, row: int) -> np.ndarray:
    """Decode one picture and note what only the original tells. Gives its pixels (H, W, 3) if it is small, else its gray version
    of `WORK` pixels, (H, W).

    A JPEG is decoded at reduced size; its whole data is read for that all the same, so a missing end is found.
    """
    from PIL import Image

    sample = looks.dataset[row]
    picture: Any = sample.inputs.get("image")
    name = picture if isinstance(picture, Path) else sample.id
    if isinstance(picture, (Path, bytes)):
        picture = picture if isinstance(picture, bytes) else read_bytes(picture)
        looks.content[row] = _digest(picture)
        header = open_image(picture, name=name)
        looks.format[row] = header.format or ""
        looks.mode[row] = "P+alpha" if header.mode == "P" and "transparency" in header.info else header.mode
        looks.size[row] = header.height, header.width
    elif isinstance(picture, np.ndarray):
        looks.mode[row] = "L" if picture.ndim == 2 or picture.shape[-1] == 1 else "RGBA" if picture.shape[-1] == 4 else "RGB"
    else:
        raise ImageError("no picture", file=name, fix="give every sample a picture")
    pixels, looks.size[row] = decode_sized(picture, at_least=(WORK, WORK), name=name)
    looks.pixels[row] = _digest(pixels)
    if max(pixels.shape) <= _SMALL:
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    small = image.resize((THUMB, THUMB), Image.Resampling.BOX, reducing_gap=2.0)
    _note_color(looks, np.array([row]), np.asarray(small, np.float32)[None])
    scale = min(1.0, WORK / min(image.size), 4 * WORK / max(image.size))
    gray = image.convert("L")
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        gray = gray.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(gray)


def _measure_small(looks: Looks, rows: np.ndarray, pictures: np.ndarray) -> None:
    """Numbers of pictures of one size, (B, H, W) or (B, H, W, 1 or 3) uint8."""
    if pictures.shape[3:] == (3,):
        small = np.stack([hashing.shrink(pictures[..., channel], (THUMB, THUMB)) for channel in range(3)], axis=-1)
        _note_color(looks, rows, small)
        gray = hashing.luma(pictures)
    else:
        gray = pictures.reshape(pictures.shape[:3])
        looks.color[rows] = gray.mean((1, 2), dtype=np.float32)[:, None]
    _measure(looks, rows, gray)


def _note_color(looks: Looks, rows: np.ndarray, small: np.ndarray) -> None:
    """Mean color and whether there is color at all, from small RGB versions (B, THUMB, THUMB, 3)."""
    looks.color[rows] = small.mean((1, 2))
    looks.colored[rows] = (small.max(-1) - small.min(-1)).mean((1, 2)) > 3


def _measure(looks: Looks, rows: np.ndarray, gray: np.ndarray) -> None:
    """Numbers of gray pictures of one size, (B, H, W) uint8."""
    flat = np.sort(gray.reshape(len(gray), -1), axis=1)
    last = flat.shape[1] - 1
    looks.low[rows], looks.high[rows] = flat[:, round(0.05 * last)], flat[:, round(0.95 * last)]
    values = gray.astype(np.float32)
    looks.mean[rows] = values.mean((1, 2))
    spread = values.std((1, 2))
    looks.spread[rows] = spread
    looks.thumb[rows] = np.rint(hashing.shrink(values, (THUMB, THUMB))).clip(0, 255).astype(np.uint8)
    if min(gray.shape[1:]) >= 3:
        inner = values[:, 1:-1, 1:-1]
        edges = 4 * inner - values[:, :-2, 1:-1] - values[:, 2:, 1:-1] - values[:, 1:-1, :-2] - values[:, 1:-1, 2:]
        rounding = 20 / 12  # the variance that rounding to whole levels alone would give
        ratio = (edges.var((1, 2)) - rounding) / np.maximum(spread, 1) ** 2
        looks.sharpness[rows] = np.where(spread >= 4, np.log10(np.maximum(ratio, 1e-6)), np.nan)
    looks.seen[rows] = True

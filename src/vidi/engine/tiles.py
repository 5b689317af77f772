"""Large pictures in overlapping tiles: predicting at full resolution, and data sets of tiles to train on."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from vidi.core.batch import Batch, Frame
from vidi.core.console import progress
from vidi.core.dataset import Dataset, Sample
from vidi.core.images import decode
from vidi.core.net import Net
from vidi.core.preprocess import Preprocess
from vidi.data._cache import available_memory, in_words
from vidi.engine.infer import forward_of, to_float
from vidi.engine.views import View, look, merged
from vidi.errors import InputError, RecipeError, ResourceError
from vidi.labels import FAMILIES, Label

LEAST_SIDE = 16
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Tiling:
    """How pictures are cut.

    Args:
        size: (height, width) of a tile in the picture's pixels.
        overlap: share of a tile, 0..0.9, that its neighbor shows as well, at least.
        whole: look at the whole picture too, for things larger than a tile.
    """

    size: tuple[int, int]
    overlap: float = 0.2
    whole: bool = True

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < LEAST_SIDE:
            raise RecipeError(f"a tile has sides of at least {LEAST_SIDE} pixels", at="tile", value=self.size)
        if not 0 <= self.overlap <= 0.9:
            raise RecipeError("the tiles' overlap lies in 0..0.9", at="overlap", value=self.overlap)

    def windows(self, size: tuple[int, int]) -> np.ndarray:
        """(T, 4) int64, x1, y1, x2, y2 of the tiles of a picture of (height, width), row by row: evenly spread, none beyond its border."""
        rows, columns = (_starts(length, tile, self.overlap) for length, tile in zip(size, self.size))
        tall, wide = (min(length, tile) for length, tile in zip(size, self.size))
        return np.array([[x, y, x + wide, y + tall] for y in rows for x in columns], np.int64)


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    if length <= tile:
        return [0]
    count = -(-(length - tile) // max(1, int(tile * (1 - overlap)))) + 1
    return np.round(np.linspace(0, length - tile, count)).astype(int).tolist()


def parse_tiling(
    tile: Any, overlap: float | None, whole: bool, canvas: tuple[int, int], trained: Mapping[str, Any] | None = None
) -> Tiling | None:
    """A tiling from settings.

    Args:
        tile: a side in pixels, (height, width), the same as text, ``auto`` (the net's input size, so that nothing is scaled), ``none``; or
            None: as the model was trained.
        overlap: None: as the model was trained, else 0.2.
        canvas: the net's input (height, width).
        trained: the recipe the model was trained by; a model trained on tiles is used on tiles.

    Raises:
        RecipeError: not a tile.
    """
    trained = trained or {}
    tile = trained.get("tile") if tile is None else tile
    overlap = trained.get("tile_overlap", 0.2) if overlap is None else overlap
    if not isinstance(overlap, (int, float)) or not isinstance(tile, (str, int, list, tuple, type(None))):
        raise RecipeError("not a tile with an overlap", at="tile", value=f"{tile}, {overlap}")
    if tile is None or tile in ("none", "None", ""):
        return None
    if tile == "auto":
        return Tiling(canvas, overlap, whole)
    sides = [int(side) for side in re.findall(r"\d+", tile)] if isinstance(tile, str) else [tile] if isinstance(tile, int) else list(tile)
    if isinstance(tile, str) and not re.fullmatch(r"[\[(]?\s*\d+\s*(?:[,x×]\s*\d+\s*)?[\])]?", tile) or len(sides) not in (1, 2) or not all(isinstance(side, int) for side in sides):
        raise RecipeError("not a tile", at="tile", value=tile, fix="a side in pixels, HEIGHT,WIDTH, or auto")
    return Tiling((int(sides[0]), int(sides[-1])), overlap, whole)


@dataclass(slots=True)
class _Piece:
    """One canvas: of which sample, from which window, whether it is the sample's last."""

    sample: int
    window: tuple[int, int, int, int]
    canvas: np.ndarray
    frame: Frame
    picture: tuple[int, int]
    last: bool


@torch.inference_mode()
def infer_tiles(
    net: Net, dataset: Dataset, preprocess: Preprocess, tiling: Tiling, *, device: torch.device, batch: int = 64, precision: str = "fp32",
    views: Sequence[View] = (), title: str = "predicting",
) -> list[Label]:  # fmt: skip
    """One label per sample, in the picture's own pixels, put together from its tiles by the family's `stitch`.

    Tiles of all pictures share batches. A tile is placed on the net's canvas as a picture of its own, letterboxed where the model crops.

    Args:
        net: on `device`; put into evaluation mode and left so.
        views: further views of each tile (`vidi.engine.views`).

    Raises:
        InputError: labels of a family that cannot be tiled.
    """
    family = FAMILIES[net.space.family]
    if not family.tileable():
        family.stitch([], np.zeros((0, 4), np.int64), (1, 1))
    net.eval()
    forward = forward_of(net, device, precision)
    found: list[Label] = []
    labels: list[Label] = []
    windows: list[tuple[int, int, int, int]] = []
    with progress(title, len(dataset)) as bar:
        for pieces in _batches(_pieces(dataset, preprocess, tiling), batch):
            for piece, label in zip(pieces, _decoded(net, forward, pieces, device, views)):
                labels.append(label)
                windows.append(piece.window)
                if piece.last:
                    whole = family.stitch(labels, np.array(windows, np.int64), piece.picture) if len(labels) > 1 else labels[0]
                    found.append(whole.compact())
                    labels, windows = [], []
            bar.update(len(found))
    return found


def _decoded(net: Net, forward: Any, pieces: list[_Piece], device: torch.device, views: Sequence[View]) -> list[Label]:
    """The label of each piece in its window's pixels."""
    images = torch.from_numpy(np.stack([piece.canvas for piece in pieces])).permute(0, 3, 1, 2)
    frames = [piece.frame for piece in pieces]
    batch = to_float(Batch({"image": images}, [None] * len(pieces), frames), device)
    plain = [frame.home(label) for frame, label in zip(frames, net.decode(forward(batch.inputs)))]
    return merged(plain, look(net, forward, batch, views))


def _batches(pieces: Iterator[_Piece], size: int) -> Iterator[list[_Piece]]:
    waiting: list[_Piece] = []
    for piece in pieces:
        waiting.append(piece)
        if len(waiting) == size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _pieces(dataset: Dataset, preprocess: Preprocess, tiling: Tiling) -> Iterator[_Piece]:
    """All canvases of all samples; the next picture is decoded while one is used."""
    rule = replace(preprocess, fit="letterbox") if preprocess.fit == "crop" else preprocess
    with ThreadPoolExecutor(1, thread_name_prefix="vidi-tiles") as pool:
        waiting: deque = deque()
        rest = iter(enumerate(dataset.samples))
        while True:
            for i, sample in rest:
                waiting.append((i, sample.id, pool.submit(decode, sample.inputs["image"], name=sample.id)))
                if len(waiting) >= _AHEAD:
                    break
            if not waiting:
                return
            i, name, future = waiting.popleft()
            yield from _cut_up(i, name, future.result(), rule, tiling)


def _cut_up(index: int, name: str, pixels: np.ndarray, rule: Preprocess, tiling: Tiling) -> Iterator[_Piece]:
    picture = (pixels.shape[0], pixels.shape[1])
    windows = tiling.windows(picture).tolist()
    if tiling.whole and len(windows) > 1:
        windows.append([0, 0, picture[1], picture[0]])
    for k, (x1, y1, x2, y2) in enumerate(windows):
        size = (y2 - y1, x2 - x1)
        canvas = rule.place(pixels[y1:y2, x1:x2])
        yield _Piece(index, (x1, y1, x2, y2), canvas, Frame(name, size, rule.matrix(size)), picture, k == len(windows) - 1)


def cut(
    dataset: Dataset, tile: int | tuple[int, int], overlap: float = 0.2, *, empty: float = 1.0, whole: bool = False, seed: int = 0
) -> Dataset:
    """A data set of tiles, each a sample with its part of the label (`Label.cropped`), to train on.

    Pictures are decoded once and stay in memory; tiles are views into them. A tile's id is the picture's with the tile's corner, its
    group the picture's own or the picture, so that tiles of one picture stay in one split.

    Args:
        dataset: with labels of a family that can be tiled, or without.
        tile: side, or (height, width), in pixels.
        overlap: see `Tiling`.
        empty: share of the tiles without anything on them that are kept, 0..1; which ones is told by `seed`.
        whole: the whole pictures are samples too.

    Raises:
        InputError: labels that say something about a whole picture.
        ResourceError: the decoded pictures do not fit into memory.
    """
    tiling = Tiling((tile, tile) if isinstance(tile, int) else (tile[0], tile[1]), overlap, whole)
    if not 0 <= empty <= 1:
        raise RecipeError("a share lies in 0..1", at="empty", value=empty)
    if dataset.space is not None and not FAMILIES[dataset.space.family].tileable():
        raise InputError("labels of this family say something about a whole picture, which is not true of its tiles", at="tile", value=dataset.space.family,
                         fix="leave tile out")  # fmt: skip
    generator, samples, dropped, used = np.random.default_rng(seed), [], 0, 0
    for sample in dataset.samples:
        pixels = decode(sample.inputs["image"], name=sample.id)
        used += pixels.nbytes
        if used > 0.5 * (available_memory() + used):
            raise ResourceError("the pictures do not fit into memory to be cut into tiles", file=sample.id, value=in_words(used), fix="fewer pictures")
        for one in _tiles_of(sample, pixels, tiling):
            bare = one.label is not None and not one.label.presence(len(dataset.space or ())).any()
            if bare and generator.random() >= empty:
                dropped += 1
            else:
                samples.append(one)
    made = dataset.with_samples(samples)
    made.notes.append(f"{len(dataset)} pictures were cut into {len(samples)} tiles" + (f"; {dropped} empty ones were left out" if dropped else ""))
    return made


def _tiles_of(sample: Sample, pixels: np.ndarray, tiling: Tiling) -> Iterator[Sample]:
    windows = tiling.windows(pixels.shape[:2]).tolist()
    for x1, y1, x2, y2 in windows:
        matrix = np.array([[1, 0, -x1], [0, 1, -y1], [0, 0, 1.0]])
        label = None if sample.label is None else sample.label.cropped(matrix, (y2 - y1, x2 - x1))
        where = {"of": sample.id, "tile": [x1, y1, x2, y2]}
        inputs = sample.inputs | {"image": pixels[y1:y2, x1:x2]}
        yield Sample(f"{sample.id}@{x1},{y1}", inputs, label, sample.split, sample.group or sample.id, sample.line, where)
    if tiling.whole and len(windows) > 1:
        yield Sample(sample.id, sample.inputs | {"image": pixels}, sample.label, sample.split, sample.group or sample.id, sample.line, sample.extra)

"""Where a denoiser's pictures come from: canvases, held-out ones apart, and random crops of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import open_image
from vidi.core.preprocess import Preprocess
from vidi.core.seeds import Draw, permutation
from vidi.data.pixels import PixelStore
from vidi.engine.prepare import choose_size
from vidi.errors import DataError, InputError, VidiError

MOST_HELD = 64


class Crops:
    """The pictures to learn from, as random crops, turned and mirrored at random. Close it after use.

    Args:
        dataset: pictures.
        preprocess: how they come to canvases.
        side: of the crops in pixels; smaller where canvases are; made even.
        seed: of everything random.

    Raises:
        InputError: crops of less than two pixels.
    """

    def __init__(self, dataset: Dataset, preprocess: Preprocess, side: int, seed: int):
        if side < 2:
            raise InputError("crops of at least two pixels", at="crop", value=side)
        self.store, self.seed, self.count = PixelStore(dataset, preprocess), seed, len(dataset)
        self.side = max(2, min(side, *preprocess.size) // 2 * 2)
        self._orders: dict[int, np.ndarray] = {}

    def close(self) -> None:
        self.store.close()

    def batch(self, step: int, size: int) -> tuple[Tensor, Draw]:
        """(size, 3, side, side) float in 0..1 and the randomness of this step, the same for the same step."""
        indices = np.array([self._picture(place) for place in range(step * size, (step + 1) * size)], np.int64)
        draw = Draw.samples(self.seed, step, np.arange(size))
        canvases = self.store.fetch(indices)
        room = [canvases.shape[axis] - self.side for axis in (1, 2)]
        y, x = (draw.integers(limit + 1).tolist() for limit in room)
        crops = np.stack([canvas[b : b + self.side, a : a + self.side] for canvas, a, b in zip(canvases, x, y)])
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)
        turns = draw.integers(8).tolist()
        turned = [torch.rot90(image.flip(2) if turn >= 4 else image, turn % 4, (1, 2)) for image, turn in zip(images, turns)]
        return torch.stack(turned), draw.child("noise")

    def _picture(self, place: int) -> int:
        """The picture at a place of an endless order in which each comes once per pass."""
        epoch, index = divmod(place, self.count)
        if epoch not in self._orders:
            self._orders = {epoch: permutation(self.count, self.seed, epoch), **{key: value for key, value in self._orders.items() if key == epoch - 1}}
        return int(self._orders[epoch][index])


def canvases(dataset: Dataset, preprocess: Preprocess) -> Tensor:
    """All pictures of a small data set on their canvases, (N, 3, H, W) float in 0..1."""
    with PixelStore(dataset, preprocess, cache="none") as store:
        pixels = store.fetch(np.arange(len(dataset)))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)


def canvas_for(dataset: Dataset, side: int | None) -> Preprocess:
    """The canvas that training a model on these pictures would choose, or one of a given side."""
    size, fit = choose_size(dataset)
    return Preprocess(size if side is None else (side, side), fit)


def of_one_size(dataset: Dataset) -> tuple[Dataset, Preprocess, list[str]]:
    """The pictures of the most frequent size, and a canvas on which they stay as they are: scaling would blend the noise of neighbors, from
    which learning without clean pictures lives.

    Raises:
        DataError: fewer than two pictures share a size.
    """
    sizes = [_size(sample) for sample in dataset.samples]
    size, count = Counter(one for one in sizes if one is not None).most_common(1)[0] if any(sizes) else ((0, 0), 0)
    if count < 2:
        raise DataError("noisy pictures must not be scaled, and no two share a size", file=dataset.root, fix="crops of one size; or clean pictures and noisy=false")
    kept = dataset.with_samples(sample for sample, own in zip(dataset.samples, sizes) if own == size)
    left = len(dataset) - count
    return kept, Preprocess(size), [f"left out {left} pictures of other sizes than {size[0]}×{size[1]}"] if left else []


def _size(sample: Sample) -> tuple[int, int] | None:
    picture: Any = sample.inputs.get("image")
    try:
        tall, wide = picture.shape[:2] if isinstance(picture, np.ndarray) else open_image(picture, name=sample.id).size[::-1]
    except VidiError:
        return None
    return int(tall), int(wide)


def parted(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """The pictures to learn from and those held out: the data's own validation or test split, else a share drawn at random, whole groups
    (videos, patients) where there are any; at most `MOST_HELD` are held out of the score.

    Raises:
        DataError: fewer than two pictures, or none left on one side.
    """
    name = next((part for part in ("val", "test") if dataset.splits.get(part)), None)
    if name is not None:
        learned, held = dataset.filter(lambda sample: sample.split not in ("val", "test")), dataset.split(name)
    else:
        units: Sequence[Any] = list(dict.fromkeys(sample.group or sample.id for sample in dataset.samples))
        taken = {units[int(i)] for i in permutation(len(units), seed, 0)[: max(1, round(share * len(units)))]}
        learned = dataset.filter(lambda sample: (sample.group or sample.id) not in taken)
        held = dataset.filter(lambda sample: (sample.group or sample.id) in taken)
    if not len(learned) or not len(held):
        raise DataError("at least two pictures are needed, one to learn from and one to measure on", file=dataset.root, value=f"{len(dataset)} pictures")
    if len(held) > MOST_HELD:
        held = held.with_samples(held[int(i)] for i in np.sort(permutation(len(held), seed, 0)[:MOST_HELD]))
    return learned, held

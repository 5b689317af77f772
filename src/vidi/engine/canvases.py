"""Pictures as a net sees them, as a data set of their own: 8-bit canvases with labels in canvas pixels, which are read and scored
without being resized again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core import discovery
from vidi.core.batch import Batch
from vidi.core.dataset import Dataset, Sample
from vidi.core.images import SUFFIXES, decode
from vidi.core.task import Task
from vidi.data import read
from vidi.data._same import SHOWN, differences
from vidi.errors import DataError

WRITERS = "data/writers"
KEPT = ("frame", "seconds")
"""What a canvas keeps of its sample's extra facts: which frame of a video it is."""


def canvas_samples(dataset: Dataset, batch: Batch, pixels: np.ndarray) -> list[Sample]:
    """The samples of a batch with other pictures.

    Args:
        dataset: that the batch was cut from.
        batch: with labels in canvas pixels.
        pixels: (B, H, W, 3) uint8.
    """
    samples = []
    for index, label, picture in zip(batch.indices.tolist(), batch.labels, pixels):
        sample = dataset[index]
        extra = {key: sample.extra[key] for key in KEPT if key in sample.extra}
        samples.append(Sample(sample.id, {**sample.inputs, "image": picture}, label, sample.split, sample.group, None, extra))
    return samples


def canvas_dataset(dataset: Dataset, samples: Sequence[Sample], name: str) -> Dataset:
    """A data set in memory with the meaning of another; pictures that are not stored as PNG get names that say so."""
    taken: set[str] = set()
    renamed = []
    for sample in samples:
        stem = _stem(sample.id)
        number, unique = 1, stem
        while unique in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique)
        renamed.append(replace(sample, id=f"{unique}.png"))
    return Dataset(renamed, dataset.space, name, None, "memory")


def _stem(name: str) -> str:
    path = name.replace("#", "-")
    stem, dot, ending = path.rpartition(".")
    return stem if dot and f".{ending.lower()}" in SUFFIXES else path


def write_canvases(dataset: Dataset, folder: str | Path, task: Task, format: str = "csv") -> tuple[Dataset, list[np.ndarray]]:
    """Write canvases as PNG files with their labels into a new folder, and read both again.

    Args:
        dataset: pictures in memory.
        format: of the labels, a name of ``data/writers``; ``csv`` holds labels of every family.

    Returns:
        the data set as it was read back, and the pictures as they are in the files, in the order of `dataset`.

    Raises:
        DataError: labels that the format cannot hold, or that are not read back the same.
        InputError: the folder is not empty.
        ChoiceError: no such format.
    """
    writer: Any = discovery.load(WRITERS, format)
    write, held, places = (discovery.member(writer, name, WRITERS) for name in ("write", "held", "places"))
    where = places(dataset)
    path = Path(write(dataset, folder, lossy=True))
    again = read(path, task=task)
    odd = differences(held(dataset)[0], again, where, Path(folder), getattr(writer, "TOLERANCE", 0.0))
    if odd:
        raise DataError(f"not read back as it was written: {'; '.join(odd[:SHOWN])}", file=folder, fix="choose another format")
    return again, [decode(Path(folder) / place) for place in where]

"""Writing a data set with its pictures into a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vidi.core.dataset import Dataset
from vidi.core.images import decode
from vidi.data.write import write


def write_dataset(dataset: Dataset, folder: str | Path) -> Path:
    """Write every picture as a PNG and the labels as a listing beside them.

    Args:
        dataset: samples with pictures of any kind, also in memory.
        folder: made if need be; pictures go into ``images/``.

    Returns:
        what to give to `vidi.data.read`.

    Raises:
        ImageError: a picture that cannot be read.
        DataError: labels that do not fit into a table.
    """
    from PIL import Image

    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    samples = []
    for i, sample in enumerate(dataset.samples):
        path = folder / "images" / f"{i:06d}.png"
        Image.fromarray(decode(sample.inputs["image"], name=sample.id)).save(path)
        samples.append(replace(sample, inputs={**sample.inputs, "image": path}))
    return write(dataset.with_samples(samples), folder / "labels.csv")

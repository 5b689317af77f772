"""Predictions as files: a table, JSON, drawn pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.console import say
from vidi.core.dataset import Dataset
from vidi.core.files import atomic_write, csv_safe, write_json
from vidi.core.images import decode
from vidi.errors import InputError, VidiError
from vidi.report.pictures import grid

MOST_DRAWN = 200


def readable(dataset: Dataset, bad_samples: str) -> tuple[Dataset, list[tuple[str, VidiError]]]:
    """The data set, and with ``skip`` only its readable pictures and the others with their errors."""
    if bad_samples not in ("stop", "skip"):
        raise InputError("stop or skip", at="bad_samples", value=bad_samples)
    if bad_samples == "stop":
        return dataset, []
    bad: dict[str, VidiError] = {}
    for sample in dataset.samples:
        try:
            decode(sample.inputs["image"], at_least=(1, 1), name=sample.id)
        except VidiError as error:
            bad[sample.id] = error
    return dataset.filter(lambda sample: sample.id not in bad), list(bad.items())


def write(dataset: Dataset, folder: Path, *, top: int = 5, draw: bool = True) -> None:
    """Write ``predictions.csv``, ``predictions.json`` and, with `draw`, ``pictures/`` and ``predictions.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(dataset.space.names) if dataset.space else []
    rows: list[dict[str, Any]] = [{"id": sample.id, **(sample.label.to_dict() if sample.label else {})} for sample in dataset.samples]
    write_json(folder / "predictions.json", {"names": names, "predictions": rows})
    with atomic_write(folder / "predictions.csv", "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        records = [sample.label.record(names, top) if sample.label else {} for sample in dataset.samples]
        columns = list(dict.fromkeys(key for record in records for key in record))
        writer.writerow(["path", *columns])
        for sample, record in zip(dataset.samples, records):
            writer.writerow([csv_safe(sample.id), *(csv_safe(str(record.get(key, ""))) for key in columns)])
    if draw and len(dataset):
        _draw(dataset, folder, names)
    say(f"predictions in {folder}")


def _draw(dataset: Dataset, folder: Path, names: list[str]) -> None:
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    shown: list[np.ndarray] = []
    captions: list[str] = []
    for i, sample in enumerate(dataset.samples[:MOST_DRAWN]):
        pixels = decode(sample.inputs["image"], name=sample.id)
        Image.fromarray(sample.label.draw(pixels, names) if sample.label else pixels).save(pictures / f"{i:05d}_{_plain(sample.id)}.png")
        if len(shown) < 24:
            shown.append(pixels)
            captions.append(sample.label.words(names) if sample.label else "?")
    Image.fromarray(grid(shown, columns=6, captions=captions)).save(folder / "predictions.png")


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in Path(name).stem)[-60:]

"""Predictions as files: a table, JSON, a listing others can read, drawn pictures, things cut out."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core import discovery
from vidi.core.console import say
from vidi.core.dataset import Dataset, Sample
from vidi.core.files import atomic_write, csv_safe, write_json
from vidi.core.images import decode
from vidi.errors import InputError, VidiError
from vidi.labels import FAMILIES, Detections, Label, Segmentation
from vidi.report.pictures import grid

MOST_DRAWN = 200
WRITERS = "data/writers"


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


def check(folder: Path | None, *, crops: bool, format: str, family: str) -> None:
    """Refuse wishes that cannot be met, before any picture is looked at.

    Raises:
        ChoiceError: a format that nothing writes.
        InputError: no folder to write into, a file in its place, one that holds such a copy already, or labels without things to cut out.
    """
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError("not a folder", file=folder, at="out", fix="out=FOLDER")
    wanted = [name for name, on in (("crops", crops), ("format", format != "csv")) if on]
    if wanted and folder is None:
        raise InputError("there is no folder to write into", at=wanted[0], fix="out=FOLDER")
    if format != "csv" and folder is not None:
        discovery.member(discovery.load(WRITERS, format), "write", WRITERS)
        copy = folder / format
        if copy.is_dir() and any(copy.iterdir()):
            raise InputError("the folder holds files already", file=copy, fix="another out, or remove it")
    if crops and FAMILIES[family].things is Label.things:
        raise InputError("these labels hold no things that could be cut out", at="crops", value=family, fix="leave crops out")


def write(dataset: Dataset, folder: Path, *, top: int = 5, draw: bool = True, crops: bool = False, format: str = "csv") -> None:
    """Write predictions.

    Args:
        dataset: its labels are the predictions; samples without pictures (frames of a video) are neither drawn nor cut out.
        folder: gets ``predictions.csv`` and ``predictions.json``.
        top: classes per row.
        draw: also ``pictures/`` and ``predictions.png``.
        crops: also ``crops/CLASS/``, one picture for each thing.
        format: of a further copy in a folder of that name, by `vidi.data.writers`; ``csv``: none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(dataset.space.names) if dataset.space else []
    rows: list[dict[str, Any]] = [
        {"id": sample.id, **_beside(sample), **(sample.label.to_dict() if sample.label is not None else {})} for sample in dataset.samples
    ]
    write_json(folder / "predictions.json", {"names": names, "predictions": rows})
    _write_table(dataset, folder / "predictions.csv", names, top)
    pictured = dataset.filter(lambda sample: "image" in sample.inputs)
    if format != "csv":
        discovery.member(discovery.load(WRITERS, format), "write", WRITERS)(pictured, folder / format, lossy=True)
    if crops:
        _crop(pictured, folder / "crops", names)
    if draw and len(pictured):
        _draw(pictured, folder, names)
    say(f"predictions in {folder}")


def _beside(sample: Sample) -> dict[str, Any]:
    """When a frame of a video was seen, and what the model's alarm says of it."""
    return {key: sample.extra[key] for key in ("frame", "seconds", "suspicion", "suspect") if key in sample.extra}


def _write_table(dataset: Dataset, path: Path, names: list[str], top: int) -> None:
    """One row per picture, or one per thing where labels hold things."""
    rows = [(sample.id, _beside(sample) | record) for sample in dataset.samples for record in (sample.label.records(names, top) if sample.label is not None else [{}])]
    columns = list(dict.fromkeys(key for _, record in rows for key in record))
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", *columns])
        for name, record in rows:
            writer.writerow([csv_safe(name), *(csv_safe(str(record.get(key, ""))) for key in columns)])


def _draw(dataset: Dataset, folder: Path, names: list[str]) -> None:
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    shown: list[np.ndarray] = []
    captions: list[str] = []
    for i, sample in enumerate(dataset.samples[:MOST_DRAWN]):
        pixels = decode(sample.inputs["image"], name=sample.id)
        drawn = sample.label.draw(pixels, names) if sample.label is not None else pixels
        Image.fromarray(drawn).save(pictures / f"{i:05d}_{plain(sample.id)}.png")
        if len(shown) < 24:
            shown.append(drawn if isinstance(sample.label, (Detections, Segmentation)) else pixels)
            captions.append(sample.label.words(names) if sample.label is not None else "?")
    Image.fromarray(grid(shown, columns=6, captions=captions)).save(folder / "predictions.png")


def _crop(dataset: Dataset, folder: Path, names: list[str]) -> None:
    """One picture for each thing, at least a pixel large."""
    from PIL import Image

    folders = class_folders(names)
    for i, sample in enumerate(dataset.samples):
        if sample.label is None:
            continue
        boxes, pixels = sample.label.things(), decode(sample.inputs["image"], name=sample.id)
        tall, wide = pixels.shape[:2]
        for k, ((x1, y1, x2, y2), record) in enumerate(zip(boxes.tolist(), sample.label.records(names))):
            left, upper = min(max(0, int(np.floor(x1))), wide - 1), min(max(0, int(np.floor(y1))), tall - 1)
            right, lower = min(max(left + 1, int(np.ceil(x2))), wide), min(max(upper + 1, int(np.ceil(y2))), tall)
            kind = str(record.get("class", "thing"))
            place = folder / (folders.get(kind) or _safe(kind))
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels[upper:lower, left:right])).save(place / f"{i:05d}_{plain(sample.id)}_{k:03d}.png")


def class_folders(names: list[str]) -> dict[str, str]:
    """A folder's name for each class; classes that would share one get their numbers in front."""
    safe = {name: _safe(name) for name in names}
    counts = Counter(text.casefold() for text in safe.values())
    return {name: f"{i}_{text}" if counts[text.casefold()] > 1 else text for i, (name, text) in enumerate(safe.items())}


def plain(name: str) -> str:
    """A name that any file system takes, at most 60 characters."""
    return _safe(Path(name).stem)


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in text)[-60:] or "_"

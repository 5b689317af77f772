"""A new folder for a data set: made whole or not at all, with copies of the pictures.

A writer is a file of this folder with ``MEANING`` (one line), ``held(dataset) -> (Dataset, Counter)`` (what of it the format can hold, and
how often it cannot hold what), ``places(dataset) -> list[str]`` (each picture's place below the folder), ``write(dataset, folder, *,
lossy=False) -> Path`` (what to give to `vidi.data.read`) and, where numbers are not read back exactly, ``TOLERANCE`` (a share of the
picture's longer side).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import disk_error
from vidi.core.images import SUFFIXES, decode, detect
from vidi.data.readers._ask import listed
from vidi.errors import DataError, InputError

_UNSAFE = frozenset('\\/:*?"<>|')
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp", "TIFF": ".tif", "PPM": ".ppm"}


@contextlib.contextmanager
def new_folder(folder: str | Path, dataset: Dataset) -> Iterator[Path]:
    """A folder beside `folder` to write into, which takes its name in the end, or is removed on failure.

    Raises:
        InputError: the folder is not empty, or lies in the data that is to be written.
        ResourceError: it cannot be written.
    """
    folder = Path(folder)
    full = Path(os.path.realpath(folder))
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError("the target must be new or empty", file=folder, fix="choose another folder, or remove this one")
    if dataset.root is not None and dataset.root.is_dir() and full.is_relative_to(os.path.realpath(dataset.root)):
        raise InputError("the data is never changed", file=folder, fix=f"choose a folder outside of {dataset.root}")
    temporary = None
    try:
        full.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{full.name}.", suffix=".tmp", dir=full.parent))
        yield temporary
        temporary.chmod(0o755)
        if full.is_dir():
            full.rmdir()
        temporary.rename(full)
        temporary = None
    except OSError as error:
        raise disk_error(error, folder) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def flat_names(samples: Sequence[Sample], folders: Sequence[str]) -> list[str]:
    """``folder/name.ending`` for each sample's picture: its own name where that is unique (without ending, whatever the case) within the
    folder, else with the folders it lies in, else with a number."""
    counts = Counter((folder, _stem(_base(sample)).casefold()) for sample, folder in zip(samples, folders))
    taken: set[tuple[str, str]] = set()
    names = []
    for sample, folder in zip(samples, folders):
        name = _base(sample)
        if counts[folder, _stem(name).casefold()] > 1:
            name = _clean(sample.id.partition("#")[0].replace("/", "_"), sample)
        stem, ending = os.path.splitext(name)
        number = 1
        while (folder, (stem if number == 1 else f"{stem}-{number}").casefold()) in taken:
            number += 1
        stem = stem if number == 1 else f"{stem}-{number}"
        taken.add((folder, stem.casefold()))
        names.append(f"{folder}/{stem}{ending}" if folder else stem + ending)
    return names


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _base(sample: Sample) -> str:
    return _clean(sample.file.name if sample.file is not None else sample.id.rpartition("/")[2], sample)


def _clean(name: str, sample: Sample) -> str:
    """A file name for any system: no characters with a meaning of their own, not hidden, with a picture's ending."""
    name = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in name).strip()
    name = "_" + name if name[:1] in (".", "") else name
    if os.path.splitext(name)[1].lower() not in SUFFIXES:
        name += _ending(sample.inputs.get("image"))
    return name


def _ending(picture: Any) -> str:
    if isinstance(picture, Path):
        try:
            with open(picture, "rb") as file:
                picture = file.read(64)
        except OSError:
            return ".png"
    return _ENDINGS.get(detect(picture[:64]), ".png") if isinstance(picture, bytes) else ".png"


def put_pictures(dataset: Dataset, places: Sequence[str], folder: Path) -> None:
    """Copy every picture to its place below a folder; pixels in memory become PNG files.

    Raises:
        DataError: a sample without a picture.
    """
    from PIL import Image

    for sample, place in zip(dataset, places):
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = sample.inputs.get("image")
        if isinstance(picture, Path):
            shutil.copyfile(picture, target)
        elif isinstance(picture, bytes):
            target.write_bytes(picture)
        elif isinstance(picture, np.ndarray):
            Image.fromarray(decode(picture, name=sample.id)).save(target, "PNG")
        else:
            raise DataError("a sample without a picture", value=sample.id)


def by_split(dataset: Dataset, top: str = "", loose: str = "unassigned") -> list[str]:
    """A folder per sample: ``top/split``; where no sample has a split, just ``top``."""
    splits = {sample.split for sample in dataset}
    if splits <= {None}:
        return [top] * len(dataset)
    return [f"{top}/{sample.split or loose}".lstrip("/") for sample in dataset]


def refuse(lost: Counter[str], lossy: bool, name: str) -> None:
    """
    Raises:
        DataError: something would be lost, and that was not allowed.
    """
    if lost and not lossy:
        what = listed((f"{thing} ({count})" for thing, count in lost.items()), 10)
        raise DataError(f"{name} cannot hold {what}", fix="choose another format, or allow the loss with lossy=true")


def expect(dataset: Dataset, family: str, name: str) -> None:
    """
    Raises:
        DataError: the labels are of another family.
    """
    if dataset.space is not None and dataset.space.family != family:
        raise DataError(f"labels of the family {dataset.space.family} do not fit into {name}", value=dataset.name, fix=f"choose {'masks' if dataset.space.family == 'Segmentation' else 'csv'}, which holds such labels")


def without_groups(dataset: Dataset, lost: Counter[str]) -> Dataset:
    """The data set without groups, counted."""
    count = sum(sample.group is not None for sample in dataset)
    if not count:
        return dataset
    lost["groups"] += count
    return dataset.with_samples(replace(sample, group=None) for sample in dataset)

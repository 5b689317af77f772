"""The idx files of MNIST and its kin: pictures and labels of one split in one file each, plain or gzipped."""

from __future__ import annotations

import gzip
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import read_text
from vidi.data.readers._ask import Ask
from vidi.data.readers._labels import shared_labels
from vidi.data.readers._scan import SPLITS
from vidi.errors import DataError, ResourceError
from vidi.labels import Label

MEANING = "idx files (train-images-idx3-ubyte and the like, .gz or not) with their labels"
PRIORITY = 80

LIMIT = 8 << 30
"""Most bytes of pictures in one file."""

_NAME = re.compile(r"^(?P<stem>.*?)(?P<split>train|t10k|test|val|valid|validation|dev)?[-_.]?images[-._]idx3-ubyte(?P<gz>\.gz)?$", re.I)
_DEFLATE = 1032  # the most that deflate can expand


def matches(path: Path) -> bool:
    return bool(_pictures(path))


def _pictures(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if _NAME.match(path.name) else []
    if not path.is_dir():
        return []
    return sorted((Path(path, name) for name in os.listdir(path) if _NAME.match(name)), key=lambda file: file.name)


def read(path: Path, ask: Ask) -> Dataset:
    """Samples hold views of the files' arrays, (H, W) uint8, in the files' order, train first; ids are ``train/00017``."""
    parts, notes = [], []
    for file in _pictures(path):
        match = _NAME.match(file.name)
        split = SPLITS[match["split"].lower()] if match and match["split"] else None
        pictures = read_idx(file, 3)
        labels = _labels_of(file)
        truth = read_idx(labels, 1) if labels else None
        if truth is not None and len(truth) != len(pictures):
            raise DataError("labels and pictures differ in number", file=labels, value=f"{len(truth)} labels, {len(pictures)} pictures")
        if truth is None:
            notes.append(f"{file.name} has no label file beside it")
        parts.append((split, pictures, truth, file))
    parts.sort(key=lambda part: {"train": 0, "val": 1, "test": 2}.get(part[0] or "", 3))
    _refuse_twice(parts)
    counts = [int(truth.max()) + 1 for _, _, truth, _ in parts if truth is not None and len(truth)]
    names = _names(path, max(counts, default=0), ask)
    space, shared = shared_labels(names, ask, file=path) if counts else (None, [])
    samples: list[Sample] = []
    for split, pictures, truth, _ in parts:
        prefix = f"{split}/" if split else ""
        known: list[Label | None] = [shared[k] for k in truth] if truth is not None else [None] * len(pictures)
        samples += [Sample(f"{prefix}{i:05d}", {"image": picture}, label, split) for i, (picture, label) in enumerate(zip(pictures, known))]
    if not samples:
        raise DataError("the idx files hold no pictures", file=path)
    return Dataset(samples, space, notes=notes)


def _refuse_twice(parts: list) -> None:
    seen: dict[str | None, Path] = {}
    for split, _, _, file in parts:
        if split in seen:
            raise DataError("two files hold the same split", file=file, value=seen[split].name, fix="keep one, or name the file to read")
        seen[split] = file


def _labels_of(pictures: Path) -> Path | None:
    """The label file that belongs to a picture file."""
    name = re.sub("images", "labels", pictures.name, flags=re.I)
    name = re.sub("idx3", "idx1", name, flags=re.I)
    plain = name.removesuffix(".gz")
    for candidate in (name, plain, plain + ".gz"):
        if (pictures.parent / candidate).is_file():
            return pictures.parent / candidate
    return None


def _names(path: Path, count: int, ask: Ask) -> list[str]:
    """Class names: as given, from a ``classes.txt`` beside the files, or the numbers."""
    names = list(ask.names) if ask.names else None
    beside = (path if path.is_dir() else path.parent) / "classes.txt"
    if names is None and beside.is_file():
        names = [line.strip() for line in read_text(beside, 1 << 20).splitlines() if line.strip()]
    if names is None:
        return [str(i) for i in range(count)]
    if len(names) < count:
        raise DataError("fewer names than classes", file=path, value=f"{len(names)} names, label {count - 1} occurs")
    return names


def read_idx(file: Path, dims: int) -> np.ndarray:
    """An idx file of unsigned bytes with `dims` dimensions, whose header must agree with its length before anything is allocated.

    Raises:
        DataError: not such a file, or shorter or longer than its header says.
        ResourceError: more than `LIMIT` bytes.
    """
    with open(file, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    packed = os.path.getsize(file)
    head_size = 4 + 4 * dims
    try:
        with gzip.open(file, "rb") if zipped else open(file, "rb") as stream:
            head = stream.read(head_size)
            if len(head) < head_size or head[:4] != bytes((0, 0, 8, dims)):
                raise DataError(f"not an idx file of bytes with {dims} dimensions", file=file, at="byte 0", value=head[:4].hex(" "))
            shape = struct.unpack(f">{dims}I", head[4:])
            size = int(np.prod([int(side) for side in shape], dtype=object))
            _check_size(file, shape, size, packed * _DEFLATE if zipped else packed - head_size, exact=not zipped)
            values = np.empty(size, np.uint8)
            view, filled = values.data, 0
            while filled < size:
                count = stream.readinto(view[filled : filled + (1 << 24)])
                if not count:
                    raise DataError("shorter than its header says", file=file, value=f"{filled} of {size} bytes", fix="obtain the file again")
                filled += count
            if stream.read(1):
                raise DataError("longer than its header says", file=file, value=f"over {size} bytes", fix="obtain the file again")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"damaged gzip: {error}", file=file, fix="obtain the file again") from None
    return values.reshape(shape)


def _check_size(file: Path, shape: tuple[int, ...], size: int, room: int, *, exact: bool) -> None:
    said = "x".join(map(str, shape))
    if (size != room) if exact else (size > room):
        raise DataError("the header does not agree with the file's length", file=file, at="byte 4", value=f"{said} in {room} bytes")
    if size > LIMIT:
        raise ResourceError("larger than allowed", file=file, value=f"{size} bytes", fix=f"at most {LIMIT} bytes")
    if len(shape) == 3 and shape[0] and not (shape[1] and shape[2]):
        raise DataError("pictures without pixels", file=file, value=said)

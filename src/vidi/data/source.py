"""Pictures to predict on, from whatever the user has at hand."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.data import video
from vidi.data._cache import available_memory
from vidi.data._calm import calm
from vidi.data.readers._ask import Ask, Faults
from vidi.data.readers._choose import missing_path
from vidi.data.readers._scan import natural_path, scan
from vidi.errors import DataError, ImageError, ResourceError

_LISTINGS = (".txt", ".lst", ".csv", ".tsv", ".parquet", ".pq", ".yaml", ".yml", ".json")


@calm
def sources(source: Any) -> Dataset:
    """The pictures that a source means, without reading them.

    Args:
        source: a file; a video (its frames, decoded, as long as they fit into memory); a folder (all pictures below it); a glob pattern (``**`` for any depth); a listing, table or ``data.yaml``;
            an array (H, W), (H, W, 3) or (H, W, 4), or (N, H, W, C) for several; a Pillow image; an encoded picture as bytes; a
            data set; or a list of any of these.

    Returns:
        samples in the order given (folders and patterns: natural order). Labels are there only where a listing or data set has them.

    Raises:
        DataError: nothing there, no pictures in it, or something else than pictures.
        ImageError: an array that is no picture.
        ResourceError: a video's frames do not fit into memory, or PyAV is missing.
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _from_path(os.fspath(source))
    if isinstance(source, (list, tuple)) or (isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)) and not _is_array(source)):
        return _from_many(list(source))
    samples = _from_memory(source, 0)
    return Dataset(samples, name="picture" if len(samples) == 1 else "pictures", format="memory")


def _is_array(source: Any) -> bool:
    return hasattr(source, "__array__") or hasattr(source, "__array_interface__") or _is_pil(source)


def _is_pil(source: Any) -> bool:
    from PIL import Image

    return isinstance(source, Image.Image)


def _from_path(text: str) -> Dataset:
    path = Path(text).expanduser()
    if not text:
        raise DataError("no source given", fix="a file, folder or pattern")
    if "\0" in text:
        raise DataError("NUL in path", value=text)
    if path.is_dir():
        return _from_folder(path)
    if path.exists():
        if path.suffix.lower() in _LISTINGS:
            from vidi.data.read import read

            return read(path)
        if not path.is_file():
            raise DataError("not a regular file", file=path, fix="a file, folder or pattern")
        if path.suffix.lower() in video.SUFFIXES:
            return _from_video(path)
        return Dataset([Sample(path.name, {"image": path})], name=path.stem, root=path, format="file")
    if video.camera(text) is not None:
        raise DataError("a camera never ends", value=text, fix="`vidi predict` watches cameras; here give a file or folder")
    if glob.has_magic(text) and "://" not in text:
        return _from_pattern(str(path))
    raise missing_path(path)


def _from_video(path: Path) -> Dataset:
    samples: list[Sample] = []
    limit = available_memory() / 2
    for index, seconds, pixels in video.frames(path):
        limit -= pixels.nbytes
        if limit < 0:
            raise ResourceError("the video's frames do not fit into memory", file=path, at=f"frame {index}", fix="`vidi predict` reads videos frame by frame")
        where = {"frame": index, "seconds": round(seconds, 6)}
        samples.append(Sample(f"{path.name}#{index:06d}", {"image": pixels}, group=path.name, extra=where))
    return Dataset(samples, name=path.stem, root=path, format="video")


def _from_folder(path: Path) -> Dataset:
    from vidi.data.readers import idx

    if idx.matches(path):
        return idx.read(path, Ask())
    faults = Faults()
    found = scan(path, faults)
    faults.check()
    if not found.pictures:
        raise DataError("the folder holds no pictures", file=path, fix="pictures are known by their name's ending, such as .jpg or .png")
    notes = [f"{len(found.others)} other files were not read"] if found.others else []
    base = str(path) + "/"
    return Dataset(
        [Sample(name, {"image": Path(base + name)}) for name in found.pictures], name=path.resolve().name, root=path, format="folder", notes=notes
    )


def _from_pattern(pattern: str) -> Dataset:
    from vidi.data.readers._scan import is_picture

    hits = [name for name in glob.glob(pattern, recursive=True) if os.path.isfile(name)]
    pictures = sorted((name for name in hits if is_picture(name)), key=natural_path)
    if not pictures:
        stem = Path(pattern)
        while glob.has_magic(str(stem)):
            stem = stem.parent
        what = f"{len(hits)} files, none a picture by its name" if hits else "no file"
        raise DataError(f"the pattern matches {what}", value=pattern, fix=f"look into {stem.resolve()}")
    notes = [f"{len(hits) - len(pictures)} other files were not read"] if len(hits) > len(pictures) else []
    return Dataset([Sample(name, {"image": Path(name)}) for name in pictures], name="pictures", format="pattern", notes=notes)


def _from_many(items: list[Any]) -> Dataset:
    """One data set out of several sources; ids that repeat get a number."""
    if not items:
        raise DataError("an empty list of pictures", fix="give at least one")
    samples: list[Sample] = []
    notes: list[str] = []
    space = None
    for i, item in enumerate(items):
        if isinstance(item, (str, os.PathLike, Dataset)):
            part = sources(item)
            notes += part.notes
            space = part.space if i == 0 or part.space == space else None
            name = os.fspath(item) if isinstance(item, (str, os.PathLike)) else ""
            alone = len(part) == 1 and bool(name)
            samples += [Sample(name if alone else sample.id, sample.inputs, sample.label, sample.split) for sample in part]
        else:
            samples += _from_memory(item, len(samples))
            space = None
    seen: dict[str, int] = {}
    for sample in samples:
        count = seen[sample.id] = seen.get(sample.id, 0) + 1
        if count > 1:
            sample.id = f"{sample.id}#{count}"
        if space is None:
            sample.label = None
    return Dataset(samples, space, name="pictures", format="list", notes=notes)


def _from_memory(item: Any, first: int) -> list[Sample]:
    """Samples of arrays, Pillow images and encoded pictures."""
    if isinstance(item, (bytes, bytearray)):
        return [Sample(f"{first:05d}", {"image": bytes(item)})]
    if _is_pil(item):
        from vidi.core.images import from_pil

        name = str(getattr(item, "filename", "") or "") or f"{first:05d}"
        return [Sample(name, {"image": from_pil(item, name)})]
    if not _is_array(item):
        raise DataError("not a picture", value=type(item).__name__, fix="a path, folder, pattern, array, Pillow image or bytes")
    array = np.asarray(item)
    if array.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            "pictures as arrays hold uint8 (or uint16)", value=f"{array.shape} {array.dtype}", fix="for 0..1 floats: (255 * x).round().astype('uint8')"
        )
    if array.ndim == 4 or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            raise ImageError("channels come last", value=f"{array.shape}", fix="x.transpose(1, 2, 0)")
        return [Sample(f"{first + i:05d}", {"image": picture}) for i, picture in enumerate(array)]
    return [Sample(f"{first:05d}", {"image": array})]

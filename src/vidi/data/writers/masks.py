"""Masks in masks/ beside images/: class maps as palette PNG (16-bit gray for more than 255 classes), maps of things as 16-bit PNG."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data.readers._runs import things_of
from vidi.data.writers._folder import by_split, flat_names, new_folder, put_pictures, refuse, without_groups
from vidi.data.writers._maps import boxes, expect_masks, plain_maps, plain_things, relabeled
from vidi.data.writers._things import settled, size_of
from vidi.data.writers._yaml import write_yaml
from vidi.errors import DataError
from vidi.labels import Detections, Segmentation
from vidi.labels._draw import class_color

MEANING = "masks in masks/, pictures in images/, and a data.yaml; holds class maps and things that do not overlap"

DEEPEST = 65535


@dataclass(frozen=True, slots=True)
class _Code:
    """What the values of masks are: `numbers` of the classes, `ignore` for what is not known, and where things are of several classes the
    `divisor` that gives the class."""

    numbers: tuple[int, ...]
    ignore: int | None = None
    divisor: int | None = None


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """Of class maps all but probabilities. Of things class and pixels: later ones hide what earlier ones have in common with them, and they
    are put in the order of their classes."""
    family, lost = expect_masks(dataset, "masks"), Counter[str]()
    if family == "Segmentation":
        data = plain_maps(dataset, lost)
    else:
        data = plain_things(settled(dataset), lost)
        code = _thing_code(data)
        data = relabeled(data, lambda sample, label: _seen(sample, label, code, lost))
    return without_groups(data, lost), +lost


def places(dataset: Dataset) -> list[str]:
    return flat_names(dataset.samples, by_split(dataset, "images"))


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, with copies of its pictures. A picture without a label gets no mask.

    The values of class maps are the classes' numbers in the source (`Space.ids`) where there are any and they fit, else their indices. Things
    of one class are numbered from 1 in each picture; of several, the value is the class's number times ``divisor`` and that number.

    Args:
        lossy: leave out what masks cannot hold, such as pixels that two things share.

    Raises:
        DataError: labels without pixels, more values than 16 bits hold, or something that masks cannot hold.
        ImageError: a picture whose size cannot be read.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "masks")
    where = places(data)
    maps = data.space is None or data.space.family == "Segmentation"
    code = _class_code(data.space) if maps else _thing_code(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        (target / "masks").mkdir()
        for sample, place in zip(data, where):
            file = (target / place.replace("images", "masks", 1)).with_suffix(".png")
            if isinstance(sample.label, Segmentation):
                _save(_numbered(sample.label, code), file, code)
            elif isinstance(sample.label, Detections):
                _save(_thing_map(sample, sample.label, code), file, None)
        _describe(target / "data.yaml", data, code, maps)
    return folder


def _describe(file: Path, data: Dataset, code: _Code, maps: bool) -> None:
    values: dict[str, Any] = {"values": "classes" if maps else "instances", "ignore": [] if code.ignore is None else code.ignore}
    if code.divisor is not None:
        values["divisor"] = code.divisor
    if data.space is not None:
        kept = code.numbers == data.space.ids
        write_yaml(file, data if kept else _unnumbered(data), values)


def _unnumbered(data: Dataset) -> Dataset:
    space = data.space
    plain = data.with_samples(data.samples)
    plain.space = None if space is None else Space(space.family, space.names, space.exclusive)
    return plain


def _class_code(space: Space | None) -> _Code:
    """Numbers of classes, and a value that none of them has."""
    count = len(space) if space is not None else 0
    numbers = space.ids if space is not None and space.ids and 0 <= min(space.ids) and max(space.ids) < DEEPEST else tuple(range(count))
    top = 255 if max(numbers, default=0) <= 255 else DEEPEST
    ignore = next((value for value in range(top, -1, -1) if value not in numbers), DEEPEST)
    if ignore in numbers:
        raise DataError("more classes than a 16-bit mask holds", value=count, fix="choose coco")
    return _Code(numbers, ignore)


def _thing_code(data: Dataset) -> _Code:
    """How class and number of a thing make one value of 16 bits.

    Raises:
        DataError: too many things or classes.
    """
    space = data.space
    count = len(space) if space is not None else 0
    labels = [sample.label for sample in data if isinstance(sample.label, Detections) and len(sample.label)]
    most = max((int(np.bincount(label.classes).max()) for label in labels), default=0)
    ids = space.ids if space is not None and space.ids and min(space.ids) >= 0 else ()
    if count <= 1 and most <= DEEPEST:
        return _Code(ids or (0,))
    divisor = 10 ** len(str(most)) if most else 10
    for numbers in (ids, tuple(range(count))):
        if numbers and max(numbers) * divisor + most <= DEEPEST and count > 1:
            return _Code(numbers, None, divisor)
    raise DataError("more things and classes than a 16-bit mask holds", value=f"{count} classes, up to {most} things of one in a picture", fix="choose coco")


def _numbered(label: Segmentation, code: _Code) -> np.ndarray:
    classes = label.classes
    table = np.array([*code.numbers, code.ignore], np.int64)
    return table[np.where(classes == label.ignore, len(code.numbers), classes)]


def _thing_map(sample: Sample, label: Detections, code: _Code) -> np.ndarray:
    """Things as values: by rising class number, each class's in their order; later things hide earlier ones."""
    values = np.zeros(size_of(sample), np.int64)
    counts: Counter[int] = Counter()
    for kind, outline in zip(label.classes.tolist(), label.outlines or ()):
        counts[kind] += 1
        if outline is not None:
            values[outline.mask((values.shape[0], values.shape[1]))] = counts[kind] + (code.numbers[kind] * code.divisor if code.divisor else 0)
    return values


def _seen(sample: Sample, label: Detections, code: _Code, lost: Counter[str]) -> Detections:
    """The things as they are read back."""
    values = _thing_map(sample, label, code)
    found = dict(things_of(values))
    before = sum(outline.area() for outline in label.outlines or () if outline is not None)
    if sum(runs.area() for runs in found.values()) != before:
        counts: Counter[int] = Counter()
        for i, kind in enumerate(label.classes.tolist()):
            counts[kind] += 1
            left = found.get(counts[kind] + (code.numbers[kind] * code.divisor if code.divisor else 0))
            lost["things that others overlap"] += left is None or left.area() != label.outlines[i].area()  # type: ignore[index, union-attr]
    places = {number: index for index, number in enumerate(code.numbers)}
    classes = [places[value // code.divisor] if code.divisor else 0 for value in found]
    runs = list(found.values())
    return Detections(boxes(runs), None, np.array(classes, np.int64), outlines=tuple(runs))  # type: ignore[arg-type]


def _save(values: np.ndarray, file: Path, code: _Code | None) -> None:
    """A map as a PNG: a palette of the classes' colors, or 16 bits."""
    from PIL import Image

    file.parent.mkdir(parents=True, exist_ok=True)
    if code is None or max(*code.numbers, code.ignore or 0) > 255:
        Image.fromarray(values.astype(np.uint16)).save(file, "PNG")
        return
    image = Image.fromarray(values.astype(np.uint8))
    colors = np.zeros((256, 3), np.uint8)
    colors[list(code.numbers)] = [class_color(index) for index in range(len(code.numbers))]
    colors[code.ignore or 0] = (224, 224, 192)
    image.putpalette(colors.ravel().tolist())
    image.save(file, "PNG")

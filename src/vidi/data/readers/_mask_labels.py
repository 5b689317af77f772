"""Labels out of mask files whose meaning is known."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vidi.core.space import Space
from vidi.data.readers._mask_files import MaskFile
from vidi.data.readers._mask_values import GROUND, UNKNOWN, Meaning
from vidi.data.readers._runs import things_of
from vidi.data.readers._things import Things
from vidi.errors import DataError
from vidi.labels import Segmentation

EIGHT = np.ones((3, 3), bool)
"""Pixels that touch by a corner are of one part."""


def space_of(meaning: Meaning, kinds: Meaning | None = None) -> Space:
    """What the labels mean.

    Args:
        kinds: of the class maps that tell the classes of things.
    """
    names, ids = meaning.names, meaning.ids
    if meaning.family == "Segmentation":
        if meaning.things:
            return Space("Segmentation", (GROUND, *(name if name != GROUND else f"{name} thing" for name in names)))
        return Space("Segmentation", names, ids=ids)
    classes = kinds if kinds is not None else meaning
    if classes.things:
        return Space("Detections", names, ids=ids)
    kept = _solid(classes)
    numbers = tuple(classes.numbers[index] for index in kept)
    named = tuple(classes.names[index] for index in kept)
    return Space("Detections", named, ids=() if classes.colored or numbers == tuple(range(len(numbers))) else numbers)


def _solid(meaning: Meaning) -> list[int]:
    """The classes of a class map that are things: all but the background, which is called so, or else has the value 0."""
    ground = meaning.names.index(GROUND) if GROUND in meaning.names else meaning.numbers.index(0) if 0 in meaning.numbers else -1
    return [index for index in range(len(meaning.names)) if index != ground]


def class_map(file: MaskFile, meaning: Meaning) -> Segmentation:
    """Class indices for the values of a mask; values of things become their classes behind the background."""
    values = file.values.astype(np.int64)
    if meaning.things:
        places = {number: index + 1 for index, number in enumerate(meaning.numbers)}
        what = values // meaning.divisor if meaning.divisor else np.full(len(values), meaning.numbers[0])
        new = np.array([0 if value == 0 else places.get(int(number), value + UNKNOWN) for value, number in zip(values, what)], np.int64)
    else:
        places = {number: index for index, number in enumerate(meaning.numbers)}
        new = np.array([places.get(int(value), _strange(int(value), meaning)) for value in values], np.int64)
    new[np.isin(values, meaning.ignore)] = meaning.unknown
    if np.array_equal(new, values) and meaning.unknown == file.codes.ignore:
        return file.codes
    codes = file.codes.classes
    if len(values) and values[-1] < 1 << 16:
        table = np.zeros(int(values[-1]) + 1, np.int32)
        table[values] = new
        return Segmentation(table[codes], None, meaning.unknown).packed()
    return Segmentation(new[np.searchsorted(values, codes)], None, meaning.unknown).packed()


def _strange(value: int, meaning: Meaning) -> int:
    """What a value that no class has is kept as."""
    return value if value >= len(meaning.names) and value != meaning.unknown else value + UNKNOWN


def things(file: MaskFile, meaning: Meaning, kinds: tuple[MaskFile, Meaning] | None) -> Things:
    """The things of a mask, by rising value.

    Args:
        kinds: the class map that tells the classes, and its meaning.

    Raises:
        DataError: a thing of no class, or a class map of another size.
    """
    if not meaning.things:
        return _parts(file, meaning)
    found, codes = Things(), file.codes.classes
    maps = class_map(*kinds).classes if kinds is not None else None
    if maps is not None and maps.shape != codes.shape:
        raise DataError("the map of classes has another size than the map of things", file=file.file, value=f"{maps.shape[::-1]}, {codes.shape[::-1]}")
    places = {number: index for index, number in enumerate(meaning.numbers)}
    for value, runs in things_of(codes, (0, *meaning.ignore)):
        at = file.parts[value - 1] if file.parts else f"value {value}"
        if kinds is not None and maps is not None:
            label = _majority(maps[runs.mask(runs.size)], kinds[1])
        else:
            label = places.get(value // meaning.divisor if meaning.divisor else meaning.numbers[0])
        if label is None:
            raise DataError("a thing of no class", file=file.file, at=at, fix=f"the classes are {', '.join(map(str, meaning.numbers[:10]))} (value // divisor)")
        found.add(runs.box(), label, at, outline=runs)
    return found


def _majority(classes: np.ndarray, meaning: Meaning) -> int | None:
    """The class most pixels of a thing have, among those of things."""
    kept = _solid(meaning)
    counts = np.bincount(classes[(classes >= 0) & (classes < len(meaning.names))], minlength=len(meaning.names))[kept]
    return int(counts.argmax()) if len(counts) and counts.max() > 0 else None


def _parts(file: MaskFile, meaning: Meaning) -> Things:
    """Every connected part of a class map's classes as a thing."""
    classes = class_map(file, meaning).classes
    found, numbered = Things(), np.zeros(classes.shape, np.int32)
    kinds: list[int] = []
    for label, index in enumerate(_solid(meaning)):
        parts, count = ndimage.label(classes == index, EIGHT)
        numbered[parts > 0] = parts[parts > 0] + len(kinds)
        kinds += [label] * count
    for number, runs in things_of(numbered):
        found.add(runs.box(), kinds[number - 1], f"part {number}", outline=runs)
    return found


def check_classes(meaning: Meaning, kinds: Meaning | None, folder: object) -> None:
    """
    Raises:
        DataError: things whose class nothing tells.
    """
    if meaning.family == "Detections" and meaning.things and kinds is None and meaning.divisor is None and len(meaning.names) > 1:
        raise DataError(
            "the masks tell things but not their classes", file=folder, value=", ".join(meaning.names[:5]),
            fix="one name for all things; or a divisor in the data.yaml, where value // divisor is the class; or values: classes",
        )  # fmt: skip

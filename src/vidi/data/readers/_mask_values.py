"""What the numbers of masks mean: classes or things, which of them are ignored, and what the classes are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidi.core.files import read_text
from vidi.data.readers._ask import Ask
from vidi.data.readers._mask_ask import color_code
from vidi.data.readers._mask_files import MaskFile, tally
from vidi.data.readers._mask_pairs import OBJECTS
from vidi.errors import DataError
from vidi.labels import Segmentation

UNKNOWN = 1 << 25
"""A value that no class has stays what it is where it cannot be taken for a class; else this is added to it."""

GROUND = "background"
MANY = 20
"""More different gray values than this, without gaps in most maps, are things rather than classes."""

SOFT, FLAT = 0.1, 0.05
"""Of a map of black and white that was scaled, so many pixels at most are gray, and so many of these lie in squares of one gray."""

MOST_COLORS = 256
_BORDER = 0xE0E0C0
"""Pascal VOC draws what is not known in this color."""

_NAMES = ("classes.txt", "codes.txt", "labels.txt", "labelmap.txt", "class_dict.csv")


@dataclass(slots=True)
class Meaning:
    """How a data set's masks are read.

    Args:
        things: each value is a thing.
        family: ``Segmentation`` or ``Detections``.
        names: class names.
        numbers: the value (of things: what tells the class) of each class.
        ignore: values of which nothing is known.
        divisor: of values of things, what gives the class; None: there is one class, or class maps tell.
        colored: values are colors.
        notes: what was decided.
    """

    things: bool
    family: str
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    ignore: tuple[int, ...]
    divisor: int | None
    colored: bool
    notes: list[str]

    @property
    def unknown(self) -> int:
        """What pixels get of which nothing is known."""
        return 255 if len(self.names) <= 255 else 65535

    @property
    def ids(self) -> tuple[int, ...]:
        """`Space.ids`: empty where they are the indices, or colors."""
        return () if self.colored or self.numbers == tuple(range(len(self.numbers))) else self.numbers


def clean(files: list[MaskFile], ask: Ask, notes: list[str]) -> bool:
    """Bring files of one data set to one kind; says whether they are colored.

    A palette whose indices are other colors in other files (or whose colors the data.yaml gives) is read by its colors. Gray maps of black and white with few pixels between, as scaling leaves them, become two-valued. Where some files are colored, the gray
    of the others is a color too.

    Raises:
        DataError: some masks are colored, and others of another kind.
    """
    if ask.masks.colors is not None or _contradict(files):
        for file in files:
            if file.palette is not None:
                _replace(file, file.palette, "color")
        notes.append("palettes were read by their colors" + ("" if ask.masks.colors else ", as one index has different colors in different files"))
    colored = [file for file in files if file.kind == "color"]
    plain = [file for file in files if file.kind != "color" and not file.rgb]
    if colored and plain:
        raise DataError("some masks are colored, others are not", file=colored[0].file, value=str(plain[0].file), fix="save all masks in one way")
    for file in files if colored else ():
        if file.kind != "color":
            _replace(file, file.values * 0x010101, "color")
    soft = [] if colored or ask.masks.values == "instances" or len(ask.names or ()) > 2 or ask.ids else [file for file in files if _softened(file)]
    for file in soft:
        _replace(file, np.where(file.values >= 128, 255, 0), "gray")
    if soft:
        notes.append(f"{len(soft)} masks have a few gray pixels between black and white: values from 128 were read as 255, others as 0")
    lossy = sum(file.lossy for file in files)
    if lossy:
        notes.append(f"{lossy} masks are in a format that blurs values (JPEG): values from 128 were read as 255, others as 0; PNG would be exact")
    overlaps = sum(file.overlaps for file in files)
    if overlaps:
        notes.append(f"{overlaps} things are partly hidden by others, whose files come later")
    turned = sum(file.turned for file in files)
    if turned:
        notes.append(f"{turned} masks have the size of their picture before its EXIF orientation: they were turned as the picture is")
    return bool(colored)


def _contradict(files: list[MaskFile]) -> bool:
    """Whether one index of the palettes has different colors in different files."""
    known: dict[int, int] = {}
    return any(known.setdefault(value, color) != color for file in files if file.palette is not None for value, color in zip(file.values.tolist(), file.palette.tolist()))


def _softened(file: MaskFile) -> bool:
    """Whether a map is black and white but for edges that pass through gray: thin, and nowhere flat as a class would be."""
    extreme = (file.values == 0) | (file.values == 255)
    between = int(file.counts[~extreme].sum())
    if file.kind != "gray" or file.deep or int(extreme.sum()) < 2 or int((~extreme).sum()) < 4 or between > SOFT * file.counts.sum():
        return False
    codes = file.codes.classes
    gray = codes[:-1, :-1]
    flat = (gray > 0) & (gray < 255) & (gray == codes[1:, :-1]) & (gray == codes[:-1, 1:]) & (gray == codes[1:, 1:])
    return int(flat.sum()) <= FLAT * between


def _replace(file: MaskFile, instead: np.ndarray, kind: str) -> None:
    codes = instead[np.searchsorted(file.values, file.codes.classes)]
    file.codes, file.kind = Segmentation(codes).packed(), kind
    file.values, file.counts = tally(codes)
    file.palette = None


def settle(files: list[MaskFile], source: str, ask: Ask, folder: Path, notes: list[str]) -> Meaning:
    """Decide what the values mean, from what the data.yaml says, the wanted task, and how they look.

    Raises:
        DataError: masks of different kinds, too many colors for classes, or names without their colors.
    """
    colored = clean(files, ask, notes)
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *(file.values for file in files)]))
    two = not colored and all(file.kind in ("gray", "bits") for file in files) and _two(every)
    two = two and not (every.max(initial=0) == 0 and any(file.deep for file in files))  # nothing on maps of things
    names, numbers = _given(ask, folder, colored, two and 255 in every and 255 not in (ask.masks.ignore or ()))
    family = ask.want.family if ask.want is not None and ask.want.family in ("Segmentation", "Detections") else None
    things, why = _things(files, source, ask, family, two, names)
    family = family or ("Detections" if things else "Segmentation")
    ignore = _ignored(files, every, ask, things, colored, two, numbers)
    if things:
        divisor = ask.masks.divisor
        names, numbers = _thing_classes(every, names, numbers, ignore, divisor, ask)
        left = [value for value in ignore if value in every]
        notes.append(f"each value of a mask is a thing ({why})" + (f", {', '.join(map(str, left))} is left out" if left and not colored else ""))
        return Meaning(True, family, names, numbers, ignore, divisor, colored, notes)
    if names is None:
        found = tuple(int(value) for value in every if value not in ignore)
        if colored and len(found) > MOST_COLORS:
            raise DataError(f"{len(found)} different colors: no map of classes", file=files[0].file, fix="export the masks without smoothing, as PNG; or give the classes' colors in a data.yaml")
        numbers = ((0, 255) if 255 in every else (0, 1)) if two else found
        names = (GROUND, "foreground") if two else tuple(f"#{value:06x}" if colored else str(value) for value in found)
        if not two:
            notes.append("nothing names the classes: they are called by their " + ("colors" if colored else "values"))
    notes.append(f"each value of a mask is a class ({why})" + (f", {', '.join(map(str, ignore))} is ignored" if ignore and not colored else ""))
    return Meaning(False, family, names, numbers or (), ignore, None, colored, notes)


def _two(every: np.ndarray) -> bool:
    return set(every.tolist()) <= {0, 255} or set(every.tolist()) <= {0, 1}


def _given(ask: Ask, folder: Path, colored: bool, white: bool) -> tuple[tuple[str, ...] | None, tuple[int, ...] | None]:
    """Names of classes that the data.yaml or a file gives, and the value of each."""
    names, colors = ask.names, ask.masks.colors
    if names is None:
        listed = _listed(folder)
        if listed is None:
            return None, None
        names, colors = listed
    if colored and ask.masks.values != "instances":
        if colors is None:
            raise DataError("the masks are colored, and nothing says which color is which class", file=folder, value=", ".join(names[:5]), fix="give the colors in a data.yaml: colors, in the order of names")
        return names, colors
    if ask.ids:
        return names, ask.ids
    return names, (0, 255) if white and len(names) == 2 else tuple(range(len(names)))


def _listed(folder: Path) -> tuple[tuple[str, ...], tuple[int, ...] | None] | None:
    """Class names, and colors where they are there, from a file beside the masks: a name per line, CVAT's labelmap.txt, or class_dict.csv."""
    file = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if file is None:
        return None
    lines = [line.strip() for line in read_text(file, 1 << 24).splitlines() if line.strip() and not line.startswith("#")]
    if file.name == "labelmap.txt":
        rows = [line.split(":")[:2] for line in lines]
    elif file.suffix == ".csv":
        rows = [line.split(",", 1) for line in lines[1:]]
    else:
        rows = [[line] for line in lines]
    names = tuple(row[0].strip() for row in rows)
    if not names or len(set(names)) < len(names):
        raise DataError("two classes have one name" if names else "no class names", file=file)
    if all(len(row) == 1 for row in rows):
        return names, None
    spelled = [[int(part) if part.strip().isdigit() else -1 for part in row[-1].split(",")] for row in rows]
    return names, tuple(color_code(color, file, f"line of {name}") for name, color in zip(names, spelled))


def _things(files: list[MaskFile], source: str, ask: Ask, family: str | None, two: bool, names: tuple[str, ...] | None) -> tuple[bool, str]:
    """Whether values are things, and who says so."""
    if any(file.parts for file in files):
        return True, "a file for each"
    if ask.masks.values is not None:
        return ask.masks.values == "instances", "as the data.yaml says"
    if ask.masks.divisor is not None:
        return True, "as the data.yaml has a divisor"
    if source in OBJECTS:
        return True, f"as the folder {source} says"
    if family == "Segmentation" and (names is not None or not _many(files)):
        return False, "as the task wants"
    if two or source.startswith("segmentationclass") or len(names or ()) > 1:
        return False, "black and white" if two else "by the classes' names" if names else f"as the folder {source} says"
    if family == "Detections":
        return True, "as the task wants"
    if any(file.deep for file in files):
        return True, "more than 8 bits a pixel; a data.yaml can say values: classes"
    if _many(files):
        return True, "many gray values without gaps; a data.yaml can say values: classes"
    return False, "few values, or with gaps"


def _many(files: list[MaskFile]) -> bool:
    """Whether there are more than `MANY` gray values, and in most maps those above 0 are 1, 2, 3, … without gaps."""
    above = [file.values[file.values > 0] for file in files]
    if any(file.kind != "gray" for file in files) or len(np.unique(np.concatenate([np.zeros(0, np.int64), *above]))) <= MANY:
        return False
    return float(np.mean([len(values) == 0 or values[-1] == len(values) for values in above])) > 0.5


def _ignored(
    files: list[MaskFile], every: np.ndarray, ask: Ask, things: bool, colored: bool, two: bool, numbers: tuple[int, ...] | None
) -> tuple[int, ...]:
    if ask.masks.ignore is not None:
        return ask.masks.ignore
    if colored:
        usual: tuple[int, ...] = (_BORDER,)
    elif all(file.kind == "palette" for file in files):
        usual = (255,)
    elif things or two:
        return ()
    else:
        usual = (65535,) if any(file.deep for file in files) else (255,)
    return tuple(value for value in usual if value in every and value not in (numbers or ()))


def _thing_classes(
    every: np.ndarray, names: tuple[str, ...] | None, numbers: tuple[int, ...] | None, ignore: tuple[int, ...], divisor: int | None, ask: Ask
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and numbers of the classes of things."""
    if divisor is not None and names is None:
        numbers = tuple(sorted({int(value) // divisor for value in every if value != 0 and value not in ignore}))
        return tuple(map(str, numbers)), numbers
    if names is None:
        return ("object",), (0,)
    return names, (ask.ids or tuple(range(len(names)))) if numbers is None or 255 in numbers else numbers

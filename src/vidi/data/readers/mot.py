"""MOTChallenge's text with what it is about: sequence folders, and videos or folders of frames with a text of their name."""

from __future__ import annotations

import configparser
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidi.core.dataset import Dataset
from vidi.core.files import read_text, safe_path
from vidi.core.space import Space
from vidi.data.readers import _sequence
from vidi.data.readers._ask import Ask
from vidi.data.readers._mot import Rows, classes, looks, parse
from vidi.data.readers._scan import hidden, is_picture, natural_path
from vidi.data.readers._sequence import Budget, Ranges, samples
from vidi.data.readers._things import split_word
from vidi.data.video import SUFFIXES
from vidi.errors import DataError, InputError
from vidi.labels import Detections

MEANING = "MOTChallenge: sequence folders (img1/, gt/gt.txt, seqinfo.ini), or a video or folder of frames with NAME.txt or NAME-gt.txt beside it"
PRIORITY = 84

_TAILS = (".txt", "-gt.txt", "_gt.txt")
_DEPTH = 2
_ENOUGH = 20_000
"""So many entries of folders are passed in the search for sequences."""


def matches(path: Path) -> bool:
    if path.is_file():
        suffix = path.suffix.lower()
        return text_of(path) is not None if suffix in SUFFIXES else suffix == ".txt" and looks(path)
    return path.is_dir() and next(_found(path, _ENOUGH), None) is not None


def read(path: Path, ask: Ask) -> Dataset:
    """One sequence or several, each a group; samples by sequence and frame.

    A text without video or frames gives samples without pictures. Videos are decoded once, frame by frame, and kept as JPEG of quality
    95: memory holds the compressed frames alone.
    """
    if path.is_file():
        sequences = [_of_file(path)]
    else:
        sequences = sorted(_found(path), key=lambda each: natural_path(each.id))
        _name(sequences)
    return assemble(sequences, ask)


def assemble(sequences: Sequence[_sequence.Sequence], ask: Ask) -> Dataset:
    """The data set of some sequences."""
    notes: list[str] = []
    texts: dict[Path, Rows] = {}
    for sequence in sequences:
        if sequence.truth is not None:
            try:
                texts[sequence.truth] = parse(sequence.truth, ask.faults)
            except InputError as error:
                ask.faults.add_error(error, file=sequence.truth)
    space, kinds = classes(texts.values(), ask, notes)
    budget, found = Budget(), []
    for sequence in sequences:
        rows = texts.get(sequence.truth) if sequence.truth is not None else None
        found += samples(sequence, rows, None if rows is None else kinds[rows.file], budget, ask.faults, notes)
    if not found and not ask.faults:
        raise DataError("no frames", file=sequences[0].truth or sequences[0].pictures or sequences[0].film)
    notes.insert(0, f"{len(sequences)} sequences" if len(sequences) > 1 else "one sequence")
    if budget.frames:
        notes.append(f"{budget.frames} frames of videos are kept as JPEG of quality {_sequence.QUALITY} ({budget.used / 2**20:.0f} MiB)")
    bare = sum("image" not in sample.inputs for sample in found)
    if bare:
        notes.append(f"{bare} frames have no picture: there is no video or folder of frames beside the text")
    ignored = sum(int(label.crowd.sum()) for sample in found if isinstance(label := sample.label, Detections) and label.crowd is not None)
    if ignored:
        notes.append(f"{ignored} boxes are not considered (confidence 0): they are ignored regions (crowd)")
    return Dataset(found, space if texts else None, notes=notes)


def read_mot(file: str | Path, space: Space | None = None, frames: tuple[int, int] | None = None) -> Dataset:
    """The labels of one MOT text, such as a tracker's results, without pictures.

    Args:
        file: the text.
        space: what the classes are; numbers are its ``ids``, or count from 1. None: told by the text.
        frames: the first and last frame, counted from 1; None: those between the first and last row.

    Raises:
        DataError: rows that cannot be used.
    """
    file, ask = Path(file), Ask(names=space.names if space else None, ids=space.ids if space else None)
    data = assemble([_sequence.Sequence(file.stem, file.stem, truth=file, parts=None if frames is None else {"": [frames]})], ask)
    ask.faults.check()
    data.name, data.root, data.format = file.stem, file, "mot"
    return data


def _of_file(path: Path) -> _sequence.Sequence:
    """The sequence of a video or text that was named."""
    if path.suffix.lower() in SUFFIXES:
        return _sequence.Sequence(path.name, path.name, film=path, truth=text_of(path))
    above = path.parent.parent
    if path.name == "gt.txt" and path.parent.name == "gt" and is_sequence(above):
        return sequence_in(above, above.resolve().name, "")
    for stem in dict.fromkeys([path.stem.removesuffix("-gt").removesuffix("_gt"), path.stem]):
        beside = next((each for end in sorted(SUFFIXES) if (each := path.parent / (stem + end)).is_file()), path.parent / stem)
        if beside.is_file():
            return _sequence.Sequence(beside.name, beside.name, film=beside, truth=path)
        if beside.is_dir() and _has_pictures(beside):
            return _sequence.Sequence(stem, f"{stem}/", pictures=beside, truth=path)
    return _sequence.Sequence(path.stem, path.stem, truth=path)


def is_sequence(folder: Path) -> bool:
    return (folder / "seqinfo.ini").is_file() or (folder / "gt" / "gt.txt").is_file()


def text_of(media: Path) -> Path | None:
    """The MOT text of a video's or frame folder's name beside it."""
    stem = media.stem if media.is_file() else media.name
    return next((file for tail in _TAILS if (file := media.parent / (stem + tail)).is_file() and looks(file)), None)


def _has_pictures(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(is_picture(entry.name) for entry in entries)


def _found(root: Path, enough: int | None = None) -> Iterator[_sequence.Sequence]:
    """The sequences in a folder, up to two folders deep; the search ends after `enough` entries."""
    if is_sequence(root):
        yield sequence_in(root, root.resolve().name, "")
        return
    passed, pending = 0, [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        split = next((found for part in reversed(prefix.split("/")) if (found := split_word(part))), None)
        folders, films, texts, count = _listed(folder)
        passed += count
        if enough is not None and passed > enough:
            return
        for name in [*films, *folders]:
            path, id = folder / name, prefix + name
            sequence = _pair(path, id, texts)
            if sequence is None and name in folders and is_sequence(path):
                sequence = sequence_in(path, name, f"{id}/")
            if sequence is not None:
                sequence.split = split
                yield sequence
            elif name in folders and prefix.count("/") < _DEPTH - 1 and not path.is_symlink():
                pending.append((path, f"{id}/"))


def _listed(folder: Path) -> tuple[list[str], list[str], set[str], int]:
    """The folders, videos and texts in a folder, and how many entries it has."""
    with os.scandir(folder) as entries:
        every = sorted(((entry.name, os.path.isdir(entry.path)) for entry in entries if not hidden(entry.name)), key=lambda item: item[0])
    folders, files = ([name for name, inner in every if inner is kind] for kind in (True, False))
    films = [name for name in files if os.path.splitext(name)[1].lower() in SUFFIXES]
    return folders, films, {name for name in files if name.lower().endswith(".txt")}, len(every)


def _pair(path: Path, id: str, texts: set[str]) -> _sequence.Sequence | None:
    """A video or folder of frames whose name one of the texts beside it has."""
    stem = path.name if path.is_dir() else path.stem
    text = text_of(path) if texts & {stem + tail for tail in _TAILS} else None
    if text is None:
        return None
    if path.is_dir():
        return _sequence.Sequence(path.name, f"{id}/", pictures=path, truth=text)
    return _sequence.Sequence(path.name, id, film=path, truth=text)


def _name(sequences: list[_sequence.Sequence]) -> None:
    """Two sequences of one name in one split are told apart by their folders; in two splits they are one video."""
    counts = Counter((each.split, each.name) for each in sequences)
    for each in sequences:
        if counts[each.split, each.name] > 1:
            each.name = each.id.rstrip("/")


def sequence_in(folder: Path, name: str, id: str) -> _sequence.Sequence:
    """The sequence of a folder with ``seqinfo.ini`` or ``gt/gt.txt``; without a folder of frames it has no pictures.

    Raises:
        DataError: a faulty ``seqinfo.ini``.
    """
    about = _seqinfo(folder / "seqinfo.ini")
    inner = about.get("imdir", "img1")
    pictures = folder / inner
    if not Path(os.path.realpath(pictures)).is_relative_to(os.path.realpath(folder)):
        raise DataError("leads outside the sequence's folder", file=folder / "seqinfo.ini", at="imDir", value=inner)
    truth = folder / "gt" / "gt.txt"
    length = _number(about, "seqlength", folder)
    return _sequence.Sequence(
        name, f"{id}{inner}/" if pictures.is_dir() else id or name, pictures if pictures.is_dir() else None, truth=safe_path(folder, "gt/gt.txt") if truth.is_file() else None, rate=_number(about, "framerate", folder),
        length=None if length is None else int(length), labeled=_ranges(about.get("labeled"), folder) if about else None,
    )  # fmt: skip


def _seqinfo(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(file, 1 << 20))
        return dict(parser["Sequence"])
    except (configparser.Error, KeyError) as error:
        raise DataError(f"not a seqinfo.ini: {str(error).splitlines()[0]}", file=file, fix="a section [Sequence] with name, imDir, frameRate, seqLength") from None


def _number(about: dict[str, str], key: str, folder: Path) -> float | None:
    text = about.get(key)
    try:
        value = None if text is None else float(text)
    except ValueError:
        value = -1.0
    if value is not None and not 0 < value < 1e9:
        raise DataError("must be a number above 0", file=folder / "seqinfo.ini", at=key, value=text)
    return value


def _ranges(text: str | None, folder: Path) -> Ranges:
    """``1-400,420-500``; all frames where nothing is said."""
    if text is None:
        return [(1, 2**62)]
    try:
        pairs = [part.split("-") for part in text.split(",") if part.strip()]
        return [(int(pair[0]), int(pair[-1])) for pair in pairs]
    except ValueError:
        raise DataError("ranges of frames are written as 1-400,420-500", file=folder / "seqinfo.ini", at="labeled", value=text) from None

"""A data.yaml about one video (or folder of frames): its MOT text, and which frames are for training, validation and test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vidi.core.dataset import Dataset
from vidi.core.files import parse_yaml, read_text
from vidi.data.readers import _sequence, mot, yaml
from vidi.data.readers._ask import Ask
from vidi.data.readers._mot import looks
from vidi.data.readers._sequence import Ranges
from vidi.data.video import SUFFIXES
from vidi.errors import DataError, nearest

MEANING = "a data.yaml with video, truth (a MOT text), and frames or train, val, test as ranges such as [1, 400]"
PRIORITY = 95

KEYS = {
    "video": "a video, a folder of frames or a sequence folder, relative to path or to the file",
    "truth": "the MOT text of its boxes; without it the text of the video's name, if there is one",
    "path": "the folder that both lie in",
    "frames": "ranges of frames to read, such as [1, 400] or [[1, 100], [200, 300]], counted from 1, both ends included",
    "train": "the frames for training, as ranges",
    "val": "the same for validation",
    "test": "the same for test",
    "names": "class names: class number 1 is the first",
    "nc": "number of classes, checked against names",
    "ids": "the number each class has in the text, in the order of names",
    "task": "the task the data is for",
    "licence": "not read",
    "license": "not read",
    "source": "not read",
    "description": "not read",
}
_ABOUT_VIDEO = re.compile(r"^video[ \t]*:", re.MULTILINE)
_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def matches(path: Path) -> bool:
    file = _file(path)
    if file is None or file.suffix.lower() not in (".yaml", ".yml"):
        return False
    with open(file, "rb") as stream:
        return _ABOUT_VIDEO.search(stream.read(1 << 16).decode("utf-8", "replace")) is not None


def _file(path: Path) -> Path | None:
    if path.is_file():
        return path
    return next((path / name for name in _NAMES if (path / name).is_file()), None)


def read(path: Path, ask: Ask) -> Dataset:
    """The frames that the file names, in order, as one group; those within its ranges are labeled, with no boxes where the text has none."""
    file = _file(path)
    if file is None:
        raise DataError("no data.yaml in the folder", file=path)
    text = read_text(file, 1 << 24)
    values, spelled = parse_yaml(text, file), parse_yaml(text, file, as_text=True)
    _check_keys(values, file)
    root, notes = yaml._root(values, file, path.is_dir())
    ask = yaml._settled(ask, values, spelled, root, file)
    media, truth = (_named(values, key, root, file) for key in ("video", "truth"))
    parts = {split: _ranges(values[key], key, file) for key, split in (("train", "train"), ("val", "val"), ("test", "test"), ("frames", "")) if values.get(key) is not None}
    _check_apart(parts, file)
    sequence = _sequence_of(media or root, file)
    sequence.truth = truth or sequence.truth
    if sequence.truth is not None and not looks(sequence.truth) and read_text(sequence.truth).strip():
        raise DataError("not a MOT text", file=sequence.truth, fix="lines of frame,id,x,y,w,h,conf,class,visibility")
    sequence.parts = parts or None
    data = mot.assemble([sequence], ask)
    data.notes += notes
    return data


def _check_keys(values: Any, file: Path) -> None:
    if not isinstance(values, dict):
        raise DataError("a data.yaml is a table of `key: value` lines", file=file, fix=f"keys: {', '.join(KEYS)}")
    for key in values:
        if key not in KEYS:
            close = nearest(str(key), KEYS)
            raise DataError("unknown key", file=file, at=str(key), fix=f"did you mean {', '.join(close)}?" if close else f"keys: {', '.join(KEYS)}")


def _named(values: dict[str, Any], key: str, root: Path, file: Path) -> Path | None:
    item = yaml._text(values, key, file) if values.get(key) is not None or key == "video" else None
    if item is None and key == "video":
        raise DataError("must be text", file=file, at=key, value=values.get(key), fix=KEYS[key])
    return None if item is None else yaml._existing(item, root, file, key)


def _sequence_of(media: Path, file: Path) -> _sequence.Sequence:
    if media.is_dir():
        if mot.is_sequence(media):
            return mot.sequence_in(media, media.resolve().name, "")
        return _sequence.Sequence(media.name, f"{media.name}/", pictures=media, truth=mot.text_of(media))
    if media.suffix.lower() not in SUFFIXES:
        raise DataError("not a video by its ending", file=file, at="video", value=media.name, fix=f"one of {', '.join(sorted(SUFFIXES))}, or a folder of frames")
    return _sequence.Sequence(media.name, media.name, film=media, truth=mot.text_of(media))


def _ranges(value: Any, key: str, file: Path) -> Ranges:
    pairs = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    for pair in pairs:
        whole = isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int) and not isinstance(end, bool) for end in pair)
        if not whole or not 1 <= pair[0] <= pair[1]:
            raise DataError("must be a range of frames, or a list of them", file=file, at=key, value=pair, fix=KEYS["frames"])
    return [(pair[0], pair[1]) for pair in pairs]


def _check_apart(parts: dict[str, Ranges], file: Path) -> None:
    """
    Raises:
        DataError: a frame is in two splits.
    """
    every = sorted((first, last, split) for split, ranges in parts.items() if split for first, last in ranges)
    for (_, end, one), (start, _, other) in zip(every, every[1:]):
        if start <= end:
            raise DataError(f"frame {start} is in {one} and in {other}" if one != other else f"frame {start} is twice in {one}", file=file, at=other)

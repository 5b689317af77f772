"""MOTChallenge's sequence folders, ``NAME/img1``, ``NAME/gt/gt.txt`` and ``NAME/seqinfo.ini``; and the text of one sequence alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.files import atomic_write, write_text
from vidi.core.images import SUFFIXES
from vidi.core.space import Space
from vidi.data.writers._folder import _clean, by_split, expect, new_folder, put_pictures, refuse
from vidi.data.writers._things import (
    exact,
    settled,
    size_of,
    start_and_length,
    stripped,
    things_of,
    without_outlines,
    without_texts,
)
from vidi.data.writers._yaml import write_yaml
from vidi.errors import DataError
from vidi.labels import Detections

MEANING = "MOTChallenge sequence folders (img1/, gt/gt.txt, seqinfo.ini); holds boxes with tracks, scores, ignored regions, visibility and sequences"
ALONE = "sequence"
"""What the sequence of samples without a group is called."""

_UNSAFE = frozenset('\\/:*?"<>|')


def held(dataset: Dataset) -> tuple[Dataset, Counter[str]]:
    """Boxes with tracks; a confidence of 0 means an ignored region, so that scores of 0 and those of ignored regions are lost. Sequences are
    called as their folders are.

    Raises:
        DataError: labels that are no boxes, boxes without tracks, or a track or class number below 0.
    """
    expect(dataset, "Detections", "mot")
    _check_tracks(dataset)
    _numbers(dataset.space)
    lost: Counter[str] = Counter()
    data = stripped(settled(dataset), lost, outlines=without_outlines, texts=without_texts, scores_of_0_and_of_ignored_regions=_scores)
    names = _folders(data)
    lost["names of sequences"] = len({sample.group for sample, name in zip(data, names) if sample.group not in (None, name)})
    return data.with_samples(replace(sample, group=name) for sample, name in zip(data, names)), +lost


def _check_tracks(dataset: Dataset) -> None:
    for sample in dataset:
        label = sample.label
        if isinstance(label, Detections) and len(label):
            if label.tracks is None:
                raise DataError("mot holds tracks, and these boxes have none", file=sample.id, value=f"{len(label)} boxes", fix="choose coco or yolo")
            if label.tracks.min() < 0:
                raise DataError("mot holds tracks from 0", file=sample.id, value=int(label.tracks.min()))


def _scores(label: Detections, sample: Sample) -> tuple[Detections, int]:
    crowd = np.zeros(len(label), bool) if label.crowd is None else label.crowd
    odd = np.where(crowd, label.scores != 1, ~((label.scores > 0) & (label.scores <= 1)))
    return replace(label, scores=np.where(odd, 1, label.scores)), int(odd.sum())


def _numbers(space: Space | None) -> list[int]:
    """The number of each class in the text."""
    if space is None:
        return []
    numbers = list(space.ids or range(1, len(space) + 1))
    if numbers and min(numbers) < 0:
        raise DataError("mot holds class numbers from 0", at="ids", value=min(numbers))
    return numbers


def _folders(dataset: Dataset) -> list[str]:
    """The folder's name of each sample's sequence; sequences of one split that would have one name get a number."""
    known: dict[tuple[str | None, str | None], str] = {}
    taken: set[tuple[str | None, str]] = set()
    for sample in dataset:
        key = sample.split, sample.group
        if key in known:
            continue
        name = stem = _folder_name(sample.group)
        number = 1
        while (sample.split, name.casefold()) in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add((sample.split, name.casefold()))
        known[key] = name
    return [known[sample.split, sample.group] for sample in dataset]


def _folder_name(group: str | None) -> str:
    name = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in (group or ALONE)).strip()
    name = "_" + name if name[:1] in (".", "") else name
    return name + "_" if Path(name).suffix.lower() in (*SUFFIXES, ".txt") else name


def _sequences(dataset: Dataset) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """By split's and sequence's folder: the rows of its samples, and their frame numbers from 1."""
    members: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(by_split(dataset), _folders(dataset))):
        members.setdefault(key, []).append(row)
    return {key: (rows, _frame_numbers([dataset[row] for row in rows])) for key, rows in members.items()}


def _frame_numbers(samples: Sequence[Sample]) -> list[int]:
    """From 1: as the samples say, or in order where not all say one of their own."""
    told = [sample.extra.get("frame") for sample in samples]
    fine = all(isinstance(number, int) and number >= 0 for number in told) and len(set(told)) == len(told)
    return [int(number) + 1 for number in told] if fine else list(range(1, len(samples) + 1))  # type: ignore[arg-type]


def places(dataset: Dataset) -> list[str]:
    found = [""] * len(dataset)
    for (split, name), (rows, numbers) in _sequences(dataset).items():
        for row, number in zip(rows, numbers):
            found[row] = "/".join(part for part in (split, name, "img1", _clean(f"{number:06d}", dataset[row])) if part)
    return found


def write(dataset: Dataset, folder: str | Path, *, lossy: bool = False) -> Path:
    """Write a data set into a new folder, a folder per sequence (`Sample.group`) below one per split, with copies of its pictures.

    Boxes are written with the fewest digits that are read back exactly. Class names and the source's ids stand in the ``data.yaml``. Where
    only some frames of a sequence are labeled, ``labeled`` in its ``seqinfo.ini`` says which.

    Args:
        lossy: leave out what the format cannot hold.

    Raises:
        DataError: labels that are no boxes, boxes without tracks, or with something that the format cannot hold.
        ImageError: a picture whose size cannot be read.
        InputError: the folder is not empty, or lies in the data.
    """
    folder, (data, lost) = Path(folder), held(dataset)
    refuse(lost, lossy, "mot")
    where = places(data)
    with new_folder(folder, data) as target:
        put_pictures(data, where, target)
        for (split, name), (rows, numbers) in _sequences(data).items():
            home, order = target / split / name, np.argsort(numbers, kind="stable").tolist()
            frames = [(numbers[i], data[rows[i]]) for i in order]
            write_text(home / "seqinfo.ini", _seqinfo(name, frames, where[rows[0]]))
            if any(sample.label is not None for _, sample in frames):
                write_text(home / "gt" / "gt.txt", "".join(line + "\n" for number, sample in frames for line in lines(sample, number, data.space)))
        write_yaml(target / "data.yaml", data, {})
    return folder


def _seqinfo(name: str, frames: list[tuple[int, Sample]], place: str) -> str:
    height, width = size_of(frames[0][1])
    rate, labeled = _rate(frames), [number for number, sample in frames if sample.label is not None]
    values: dict[str, Any] = {"name": name, "imDir": "img1", "frameRate": rate, "seqLength": frames[-1][0], "imWidth": width, "imHeight": height}
    values["imExt"] = Path(place).suffix
    if 0 < len(labeled) < len(frames):
        values["labeled"] = _spelled(labeled)
    return "\n".join(["[Sequence]", *(f"{key}={value}" for key, value in values.items() if value is not None), ""])


def _rate(frames: list[tuple[int, Sample]]) -> str | None:
    """Frames per second, by the times that the samples have."""
    timed = [(number, sample.extra["seconds"]) for number, sample in frames if isinstance(sample.extra.get("seconds"), (int, float))]
    if len(timed) < 2 or timed[-1][1] <= timed[0][1]:
        return None
    return f"{(timed[-1][0] - timed[0][0]) / (timed[-1][1] - timed[0][1]):.6g}"


def _spelled(numbers: list[int]) -> str:
    """Whole numbers as ranges: ``1-400,420-500``."""
    array = np.array(numbers)
    runs = np.split(array, np.flatnonzero(np.diff(array) != 1) + 1)
    return ",".join(f"{run[0]}-{run[-1]}" for run in runs)


def lines(sample: Sample, number: int, space: Space | None) -> Iterator[str]:
    """The lines of one frame: ``frame,id,x,y,w,h,conf,class,visibility``; ``conf`` is the score, or 0 for an ignored region, and an unknown
    visibility is -1.

    Args:
        number: of the frame, from 1.
        space: what the classes are; its ``ids`` are their numbers, which count from 1 where it has none.
    """
    label = sample.label
    if not isinstance(label, Detections) or not len(label):
        return
    numbers, notes = _numbers(space), things_of(sample)
    for i in range(len(label)):
        (x, w), (y, h) = (start_and_length(label.boxes[i, axis], label.boxes[i, axis + 2]) for axis in (0, 1))
        conf = "0" if label.crowd is not None and label.crowd[i] else exact(label.scores[i])
        seen = notes[i].get("visibility")
        track = -1 if label.tracks is None else int(label.tracks[i])
        kind = numbers[int(label.classes[i])] if numbers else int(label.classes[i]) + 1
        yield f"{number},{track},{x},{y},{w},{h},{conf},{kind},{seen if isinstance(seen, (int, float)) else -1}"


def write_mot(dataset: Dataset, file: str | Path, *, lossy: bool = False) -> Path:
    """Write the labels of one sequence, such as a tracker's results, as one text, whole or not at all; `vidi.data.readers.mot.read_mot`
    reads it back exactly when it is given the same classes.

    Args:
        dataset: the frames of one sequence; frames without boxes or label have no line.
        lossy: leave out what the format cannot hold.

    Raises:
        DataError: several sequences, boxes without tracks, or something that the format cannot hold.
        ResourceError: the file cannot be written.
    """
    groups = sorted({str(sample.group) for sample in dataset})
    if len(groups) > 1:
        raise DataError("a MOT text holds one sequence", value=", ".join(groups[:3]), fix="write a text for each group")
    data, lost = held(dataset)
    del lost["names of sequences"]
    refuse(lost, lossy, "mot")
    numbers = _frame_numbers(data.samples)
    with atomic_write(Path(file), "w") as stream:
        for i in np.argsort(numbers, kind="stable").tolist():
            stream.writelines(line + "\n" for line in lines(data[i], numbers[i], data.space))
    return Path(file)

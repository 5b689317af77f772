"""What writers of boxes share: the fewest digits that are read back exactly, and leaving out what a format cannot hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import decode, picture_size
from vidi.errors import DataError
from vidi.labels import Detections, Outline

Strip = Callable[[Detections, Sample], tuple[Detections, int]]


def shortest(target: float, fits: Callable[[float], bool]) -> str:
    """The decimal number nearest to `target` that has the fewest digits of those that fit."""
    if target == int(target) and fits(float(int(target))):
        return str(int(target))
    for digits in range(1, 18):
        text = f"{target:.{digits}g}"
        if fits(float(text)):
            return text
    return repr(target)


def exact(value: Any) -> str:
    """The fewest digits of a 32-bit number."""
    return str(np.float32(value)).removesuffix(".0")


def around(value: Any) -> tuple[float, float]:
    """Numbers between these two have the given one as their nearest of 32 bits."""
    middle = np.float32(value)
    low, high = np.nextafter(middle, np.float32(-np.inf)), np.nextafter(middle, np.float32(np.inf))
    return (float(low) + float(middle)) / 2, (float(high) + float(middle)) / 2


def plain(text: str) -> int | float:
    """A number of digits as JSON has it: whole numbers without a point."""
    return int(text) if text.lstrip("-").isdigit() else float(text)


def start_and_length(low: Any, high: Any) -> tuple[str, str]:
    """Where a box begins and how long it is, so that their sum is where it ends, to the last bit of 32."""
    text = exact(low)
    start, (least, most) = float(text), around(high)
    return text, shortest(float(high) - start, lambda length: least < start + length < most)


def things_of(sample: Sample) -> list[dict[str, Any]]:
    """What the source says of each thing beyond the label; empty where that no longer belongs to the label."""
    count = len(sample.label) if isinstance(sample.label, Detections) else 0
    notes = sample.extra.get("things")
    fits = isinstance(notes, list) and len(notes) == count and all(isinstance(note, dict) for note in notes)
    return list(notes) if fits and notes is not None else [{} for _ in range(count)]


def size_of(sample: Sample) -> tuple[int, int]:
    """Upright (height, width) of a sample's picture.

    Raises:
        ImageError: it cannot be read.
    """
    picture = sample.inputs.get("image")
    if isinstance(picture, (np.ndarray, bytes)):
        height, width = decode(picture, name=sample.id).shape[:2]
        return height, width
    if sample.file is None:
        raise DataError("a sample without a picture", value=sample.id)
    return picture_size(sample.file)


def settled(dataset: Dataset) -> Dataset:
    """The data set with masks as outlines, and its labels checked.

    Raises:
        DataError: a box that is no number, or a class that nobody names.
    """
    names = dataset.space.names if dataset.space is not None else ()
    samples = []
    for sample in dataset:
        label = sample.label
        if isinstance(label, Detections):
            if not np.isfinite(label.boxes).all():
                row = int(np.flatnonzero(~np.isfinite(label.boxes).all(1))[0])
                place = (sample.extra.get("places") or [None] * len(label))[row]
                raise DataError("a box that is no number", file=sample.extra.get("file") or sample.id, at=place, fix="see `vidi doctor`, which can leave it out")
            if len(label) and not (0 <= label.classes.min() and label.classes.max() < len(names)):
                raise DataError("a class without a name", value=int(label.classes.max()), file=sample.id)
            if label.masks is not None:
                sample = replace(sample, label=_outlined(label))
        samples.append(sample)
    return dataset.with_samples(samples)


def _outlined(label: Detections) -> Detections:
    known = label.outlines or [None] * len(label)
    masks = label.masks if label.masks is not None else ()
    return replace(label, masks=None, outlines=tuple(outline or Outline.of(mask) for outline, mask in zip(known, masks)))


def stripped(dataset: Dataset, lost: Counter[str], **strips: Strip) -> Dataset:
    """The data set after each of some functions took from its labels what cannot be held; what they took is counted by their names."""
    samples = []
    for sample in dataset:
        for name, strip in strips.items():
            if isinstance(sample.label, Detections) and len(sample.label):
                label, count = strip(sample.label, sample)
                if count:
                    lost[name.replace("_", " ")] += count
                    sample = _relabeled(sample, label)
        samples.append(sample)
    return dataset.with_samples(samples)


def _relabeled(sample: Sample, label: Detections) -> Sample:
    if len(label) == len(sample.label):  # type: ignore[arg-type]
        return replace(sample, label=label)
    extra = {key: value for key, value in sample.extra.items() if key not in ("things", "places")}
    kept = [i for i, crowd in enumerate(sample.label.crowd) if not crowd]  # type: ignore[union-attr]
    extra |= {key: [sample.extra[key][i] for i in kept] for key in ("things", "places") if len(sample.extra.get(key) or ()) == len(sample.label)}  # type: ignore[arg-type]
    return replace(sample, label=label, extra=extra)


def without_crowds(label: Detections, sample: Sample) -> tuple[Detections, int]:
    """Crowd regions are left out: as ordinary boxes they would say something else."""
    if label.crowd is None or not label.crowd.any():
        return label, 0
    return replace(label[~label.crowd], crowd=None), int(label.crowd.sum())


def without_scores(label: Detections, sample: Sample) -> tuple[Detections, int]:
    return replace(label, scores=np.ones(len(label), np.float32)), int((label.scores != 1).sum())


def without_tracks(label: Detections, sample: Sample) -> tuple[Detections, int]:
    return replace(label, tracks=None), 0 if label.tracks is None else len(label)


def without_texts(label: Detections, sample: Sample) -> tuple[Detections, int]:
    return replace(label, texts=None), 0 if label.texts is None else len(label)


def without_outlines(label: Detections, sample: Sample) -> tuple[Detections, int]:
    return replace(label, outlines=None), sum(outline is not None for outline in label.outlines or ())

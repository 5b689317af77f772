"""Samples and data sets: the first of the three nouns."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Label

Picture = Path | bytes | np.ndarray
"""A picture before decoding: a file, an encoded file in memory, or decoded pixels (H, W, 3) or (H, W) uint8."""


@dataclass(slots=True)
class Sample:
    """One example.

    Args:
        id: unique within its data set; for files, the path relative to the data set's root.
        inputs: raw inputs by name; ``image`` holds a `Picture`.
        label: ground truth. None: no label is known. An empty label is a label.
        split: ``train``, ``val``, ``test`` or None (not yet assigned).
        group: samples of one group (patient, video) stay in one split.
        line: the line of the table or listing that named it.
        extra: what the file it was read from says beyond picture and label, in plain JSON values, kept for messages and for writing
            it back: ``places`` has where each thing of the label stands (``line 3``, ``/annotations/17``).
    """

    id: str
    inputs: dict[str, Any]
    label: Label | None = None
    split: str | None = None
    group: str | None = None
    line: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        """The picture's file, if it is one."""
        image = self.inputs.get("image")
        return image if isinstance(image, Path) else None


@dataclass(slots=True)
class Dataset:
    """Samples with one meaning of labels.

    Args:
        samples: the samples, in a stable order.
        space: what the labels mean; None when nothing is labeled.
        name: short name for reports.
        root: the folder or file it was read from.
        format: the reader that was chosen.
        notes: what the reader decided or saw, one sentence each.
        extra: what the file it was read from says beyond samples and classes (``info``, ``licenses``), kept for writing it back.
    """

    samples: list[Sample]
    space: Space | None = None
    name: str = "data"
    root: Path | None = None
    format: str = "memory"
    notes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def with_samples(self, samples: Iterable[Sample]) -> Dataset:
        """The same data set holding other samples."""
        return replace(self, samples=list(samples), notes=list(self.notes))

    def filter(self, keep: Callable[[Sample], bool]) -> Dataset:
        return self.with_samples(sample for sample in self.samples if keep(sample))

    def split(self, name: str) -> Dataset:
        """The samples of one split."""
        return self.filter(lambda sample: sample.split == name)

    @property
    def splits(self) -> dict[str, int]:
        """Number of samples by split; unassigned samples count under ``""``."""
        return dict(Counter(sample.split or "" for sample in self.samples))

    @property
    def labels(self) -> list[Label | None]:
        return [sample.label for sample in self.samples]

    def summary(self) -> dict[str, Any]:
        """Plain JSON values about the data set: kind, numbers, about."""
        numbers = {"samples": len(self), **{name or "unassigned": count for name, count in self.splits.items()}}
        numbers |= self.extra.get("numbers", {})
        names = list(self.space.names) if self.space else []
        labels = {sample.id: sample.label.to_dict() for sample in self.samples if sample.label is not None} if len(self) <= 1000 else None
        about = {"name": self.name, "format": self.format, "names": names, "notes": self.notes, "labels": labels}
        return {"kind": "dataset", "numbers": numbers, "about": about}

    def text(self, most: int = 20) -> str:
        """The first samples with their labels in words, then the notes."""
        names = self.space.names if self.space else ()
        lines = [f"{sample.id}: {sample.label.words(names) if sample.label is not None else '?'}" for sample in self.samples[:most]]
        more = [f"… {len(self) - most} more"] if len(self) > most else []
        return "\n".join([*lines, *more, *self.notes])

    def fingerprint(self) -> str:
        """16 hex digits over ids, splits, labels and the files' sizes and times; changes when the data changes."""
        digest = hashlib.sha256()
        if self.space is not None:
            digest.update(repr(self.space).encode())
        for sample in self.samples:
            digest.update(f"\0{sample.id}\0{sample.split}\0{picture_state(sample.inputs.get('image'))}\0".encode())
            if sample.label is not None:
                digest.update(sample.label.state())
        return digest.hexdigest()[:16]


def picture_state(picture: Any) -> str:
    """A cheap key for a picture's content: size and modification time of a file, a hash of what is in memory."""
    if isinstance(picture, Path):
        try:
            state = picture.stat()
        except OSError:
            return "missing"
        return f"{state.st_size}:{state.st_mtime_ns}"
    if isinstance(picture, bytes):
        return hashlib.blake2b(picture, digest_size=8).hexdigest()
    if isinstance(picture, np.ndarray):
        return f"{picture.shape}:{hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=8).hexdigest()}"
    return "none"


def known_labels(labels: Sequence[Label | None]) -> list[Label]:
    """The labels that are there."""
    return [label for label in labels if label is not None]

"""What a rule says, and what several rules ask of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset
from vidi.data._boxes import place_of
from vidi.data._look import Looks
from vidi.data._maps import maps_of
from vidi.errors import DataError
from vidi.labels import Classification, Detections, Regression

SHOWN = 20
"""Related samples named in one finding, at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Args:
        message: the fault in words.
        rule: the rule's name, as its file is called; filled in by the doctor.
        severity: ``error`` (training is refused), ``warning`` or ``note``; "" for the rule's own.
        fix: what to do; "" for the rule's own.
        sample, index: the sample's id and its place in the data set; None when the fault is of the whole set.
        file: the picture or listing concerned.
        line: the line of the listing that named the sample.
        at: where else: a class, a field, a split.
        value: what was found.
        action: ``drop``: `repair` leaves the sample out. ``clip``: it puts `instead` in the place of the box, or leaves the box out,
            as it is told to. ``drop_box``: it leaves the box out. ``ignore``: it takes the pixels of a class map that are of no class for
            not known.
        related: ids of other samples concerned, at most `SHOWN`.
        box: the place in the sample's label of the box concerned.
        instead: x1, y1, x2, y2 of the box cut to the picture.
    """

    message: str
    rule: str = ""
    severity: str = ""
    fix: str = ""
    sample: str | None = None
    index: int | None = None
    file: str | None = None
    line: int | None = None
    at: str | None = None
    value: str | float | None = None
    action: str | None = None
    related: tuple[str, ...] = ()
    box: int | None = None
    instead: tuple[float, float, float, float] | None = None

    def error(self) -> DataError:
        """The same as an error, which prints as one line."""
        place = ", ".join(str(part) for part in (f"line {self.line}" if self.line is not None else None, self.at) if part is not None)
        return DataError(f"{self.rule}: {self.message}", file=self.file or self.sample, at=place or None, value=self.value, fix=self.fix)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"related": list(self.related), "instead": None if self.instead is None else list(self.instead)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Finding:
        """The exact inverse of `to_dict`."""
        instead = values["instead"]
        return cls(**(values | {"related": tuple(values["related"]), "instead": None if instead is None else tuple(instead)}))


def about_sample(
    dataset: Dataset,
    index: int,
    message: str,
    *,
    value: Any = None,
    at: str | None = None,
    drop: bool = False,
    related: Iterable[int] = (),
    severity: str = "",
    fix: str = "",
    listing: bool = False,
) -> Finding:
    """A finding about one sample.

    Args:
        listing: the fault stands in the listing, not in the picture.
        related: rows of other samples concerned.
    """
    sample = dataset[index]
    file = str(sample.file) if sample.file is not None else str(dataset.root) if dataset.root else None
    if listing and sample.line is not None and dataset.root is not None and Path(dataset.root).suffix:
        file = str(dataset.root)
    return Finding(
        message, severity=severity, fix=fix, sample=sample.id, index=index, file=file, line=sample.line,
        at=at if at is not None else (sample.id if file != str(sample.file) else None), value=_plain(value),
        action="drop" if drop else None, related=tuple(dataset[row].id for row in list(related)[:SHOWN]),
    )  # fmt: skip


def about_box(looks: Looks, index: int, message: str, *, value: Any = None, action: str | None = None, related: Iterable[int] = ()) -> Finding:
    """A finding about one box, given by its place in `Looks.boxes`; its numbers are the value unless another is given."""
    boxes, dataset = looks.boxes, looks.dataset
    row, place = int(boxes.row[index]), int(boxes.place[index])
    sample = dataset[row]
    file = sample.extra.get("file") or sample.file or dataset.root
    return Finding(
        message, sample=sample.id, index=row, file=None if file is None else str(file), at=place_of(sample, place),
        value=spelled(boxes.box[index]) if value is None else _plain(value), action=action, related=tuple(dataset[other].id for other in related),
        box=place, instead=boxes.clipped(index) if action == "clip" else None,
    )  # fmt: skip


def spelled(box: np.ndarray) -> str:
    """A box in figures."""
    return " ".join(f"{value:.6g}" for value in box.tolist())


def class_name(dataset: Dataset, index: int) -> str:
    """The name of a class, or its number where it has none."""
    names = dataset.space.names if dataset.space is not None else ()
    return names[index] if 0 <= index < len(names) else str(index)


def unit(dataset: Dataset, count: int = 2) -> str:
    """What is counted by class, in the singular for 1."""
    family = dataset.space.family if dataset.space is not None else ""
    if family == "Detections":
        return "box" if count == 1 else "boxes"
    what = "picture" if family == "Segmentation" else "sample"
    return what if count == 1 else f"{what}s"


def about_all(
    dataset: Dataset, message: str, *, value: Any = None, at: str | None = None, related: Iterable[int] = (), severity: str = "", fix: str = ""
) -> Finding:
    """A finding about the data set as a whole."""
    names = tuple(dataset[row].id for row in list(related)[:SHOWN])
    return Finding(message, severity=severity, fix=fix, file=str(dataset.root) if dataset.root else None, at=at, value=_plain(value), related=names)


def _plain(value: Any) -> str | float | None:
    if isinstance(value, (np.integer, np.floating)):
        value = value.item()
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def class_table(dataset: Dataset, looks: Looks | None = None) -> np.ndarray | None:
    """How often each class stands on each sample, (N, C) float32: 0 or 1 for classification and class maps, a count for detections; NaN for
    what is not known. None when the labels are no classes.

    Args:
        looks: of the data set, so that class maps need not be looked at again.
    """
    space = dataset.space
    if space is None or space.family not in ("Classification", "Detections", "Segmentation") or len(space) == 0:
        return None
    if space.family == "Segmentation":
        return (looks.maps if looks is not None else maps_of(dataset)).table(len(dataset))
    table = np.full((len(dataset), len(space)), np.nan, np.float32)
    if space.family == "Detections":
        for row, sample in enumerate(dataset):
            if isinstance(sample.label, Detections):
                classes = np.asarray(sample.label.classes, np.int64)
                table[row] = np.bincount(classes[(classes >= 0) & (classes < len(space))], minlength=len(space))
        return table
    labels = [(row, sample.label) for row, sample in enumerate(dataset) if isinstance(sample.label, Classification)]
    fitting = [(row, label.probabilities) for row, label in labels if len(label.probabilities) == len(space)]
    if not fitting:
        return table
    good, values = [row for row, _ in fitting], np.stack([probabilities for _, probabilities in fitting])
    if space.exclusive:
        known = np.isfinite(values).any(1) & (np.nan_to_num(values) > 0).any(1)
        top = np.nan_to_num(values, nan=-1.0).argmax(1)
        rows = np.array(good)[known]
        table[rows] = 0
        table[rows, top[known]] = 1
    else:
        table[good] = np.where(np.isnan(values), np.nan, values >= 0.5)
    return table


def value_table(dataset: Dataset) -> np.ndarray | None:
    """The values to be regressed, (N, D) float32, NaN for what is not known; None when the labels are no numbers."""
    space = dataset.space
    if space is None or space.family != "Regression" or len(space) == 0:
        return None
    table = np.full((len(dataset), len(space)), np.nan, np.float32)
    for row, sample in enumerate(dataset):
        label = sample.label
        if isinstance(label, Regression) and len(label.values) == len(space):
            table[row] = label.values
    return table


def class_counts(dataset: Dataset, looks: Looks | None = None) -> np.ndarray | None:
    """Samples (or objects) of each class, (C,) int64."""
    table = class_table(dataset, looks)
    return None if table is None else np.nansum(table, axis=0).astype(np.int64)


def outlyingness(values: np.ndarray, floor: float) -> np.ndarray:
    """Distance from the median in robust standard deviations (median absolute deviation × 1.4826, at least `floor`), signed;
    NaN where the value is."""
    if not np.isfinite(values).any():
        return np.full(values.shape, np.nan)
    middle = np.nanmedian(values)
    spread = 1.4826 * np.nanmedian(np.abs(values - middle))
    return (values - middle) / max(float(spread), floor)


def ordered(looks: Looks, rows: Sequence[int], by: np.ndarray) -> list[int]:
    """Rows, the worst (smallest `by`) first."""
    return sorted((int(row) for row in rows), key=lambda row: (float(by[row]), row))


SPLIT_RANK = {"test": 3, "val": 2, "train": 1}
"""Of two copies in different splits, the one in the lower split must go."""

"""Whether two data sets say the same: what a conversion must not change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset
from vidi.labels import Detections, Label, Outline, Polygons

SHOWN = 5


def differences(before: Dataset, after: Dataset, places: Sequence[str], folder: Path, tolerance: float = 0.0) -> list[str]:
    """What a data set that was written and read again says otherwise, one sentence each; empty when nothing.

    Args:
        before: as it was written.
        after: as it was read.
        places: where below `folder` each of the first one's pictures was written.
        tolerance: how far coordinates may be off, as a share of the picture's longer reach.
    """
    found: list[str] = []
    names = [space.names if (space := data.space) is not None else None for data in (before, after)]
    labeled = any(sample.label is not None for sample in before)
    if labeled and names[0] != names[1]:
        found.append(f"the classes are {names[1]}, not {names[0]}")
    by_file = {os.path.realpath(sample.file): sample for sample in after if sample.file is not None}
    if len(by_file) != len(before):
        found.append(f"{len(by_file)} pictures, not {len(before)}")
    for sample, place in zip(before, places):
        again = by_file.get(os.path.realpath(folder / place))
        if again is None:
            found.append(f"{sample.id}: not there")
        elif (again.split, again.group) != (sample.split, sample.group):
            found.append(f"{sample.id}: split or group is {again.split}, {again.group}, not {sample.split}, {sample.group}")
        elif (what := label_difference(sample.label, again.label, tolerance)) is not None:
            found.append(f"{sample.id}: {what}")
    return found


def unkept(before: Dataset, after: Dataset) -> list[str]:
    """What the source said beyond labels that the other does not say, by its keys."""

    def keys(data: Dataset) -> set[str]:
        tables = [table for sample in data for table in (sample.extra.get("picture") or {}, *sample.extra.get("things", ()))]
        return {key for table in tables for key in table} | (set(data.extra) - {"categories"})

    return sorted(keys(before) - keys(after))


def label_difference(one: Label | None, other: Label | None, tolerance: float = 0.0) -> str | None:
    """In what two labels differ, in words."""
    if one is None or other is None:
        return None if one is other else "one has a label and the other none"
    if not isinstance(one, Detections) or not isinstance(other, Detections):
        return None if one.to_dict() == other.to_dict() else "the labels differ"
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} things"
    limit = tolerance * max(1.0, float(np.abs(np.nan_to_num(one.boxes)).max(initial=0)))
    if not _close(one.boxes, other.boxes, limit):
        return "boxes differ"
    for name in ("classes", "scores"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            return f"{name} differ"
    crowds = [np.zeros(len(one), bool) if label.crowd is None else label.crowd for label in (one, other)]
    if not np.array_equal(crowds[0], crowds[1]):
        return "crowd flags differ"
    tracks = [() if label.tracks is None else tuple(label.tracks.tolist()) for label in (one, other)]
    if tracks[0] != tracks[1] or (one.texts or ()) != (other.texts or ()):
        return "tracks or texts differ"
    outlines = zip(one.outlines or [None] * len(one), other.outlines or [None] * len(other))
    return None if all(_same_outline(a, b, limit) for a, b in outlines) else "outlines differ"


def _close(one: np.ndarray, other: np.ndarray, limit: float) -> bool:
    if one.shape != other.shape:
        return False
    return bool(((np.abs(one.astype(np.float64) - other) <= limit) | (one == other) | (np.isnan(one) & np.isnan(other))).all())


def _same_outline(one: Outline | None, other: Outline | None, limit: float) -> bool:
    if isinstance(one, Polygons) and isinstance(other, Polygons):
        return len(one.rings) == len(other.rings) and all(_close(a, b, limit) for a, b in zip(one.rings, other.rings))
    return one == other

"""COCO documents out of samples."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.data.writers._things import exact, plain, size_of, start_and_length, things_of
from vidi.errors import DataError
from vidi.labels import Detections, Outline, Polygons, Runs

_OWN_PICTURE = ("id", "file_name", "width", "height", "split", "group", "labeled")
_OWN_THING = ("image_id", "category_id", "bbox", "segmentation", "iscrowd", "score")


def dump(values: dict[str, Any]) -> str:
    """A document as JSON, each entry of a list on a line of its own; numbers that JSON has no word for become null."""
    parts = []
    for key, value in _finite(values).items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in value)
            parts.append(f"{json.dumps(key)}: [\n{rows}\n]" if rows else f"{json.dumps(key)}: []")
        else:
            parts.append(f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def rising(space: Space) -> bool:
    """Whether classes are in the order of their category ids, which is how they are read."""
    return list(space.ids) == sorted(space.ids)


class Numbers:
    """Ids for pictures and annotations: those of the source where all are there and different, else from 1 on."""

    def __init__(self, dataset: Dataset):
        self._pictures = _ids([sample.extra.get("id") for sample in dataset])
        self._things = _ids([note.get("id") for sample in dataset for note in things_of(sample)])

    def picture(self) -> int:
        return next(self._pictures)

    def thing(self) -> int:
        return next(self._things)


def _ids(given: Sequence[Any]):
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in given)
    return iter(given if whole and len(set(given)) == len(given) else range(1, len(given) + 1))


def document(dataset: Dataset, names: Iterable[str], numbers: Numbers, splits: bool) -> dict[str, Any]:
    """What a COCO file of these samples says.

    Args:
        names: each picture's ``file_name``.
        numbers: given out in the order of the samples, over all files of a data set.
        splits: say each picture's split in it.

    Raises:
        DataError: run lengths of another size than the picture's.
        ImageError: a picture whose size cannot be read.
    """
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    ids = dataset.space.ids if dataset.space is not None and dataset.space.ids else None
    for sample, name in zip(dataset, names):
        number, size = numbers.picture(), _size(sample)
        pictures.append(_picture(sample, name, number, size, splits))
        if isinstance(sample.label, Detections):
            annotations += _annotations(sample, sample.label, number, size, ids, numbers)
    head = {key: value for key, value in dataset.extra.items() if key not in ("images", "annotations", "categories")}
    return {**head, "images": pictures, "annotations": annotations, "categories": _categories(dataset)}


def _size(sample: Sample) -> tuple[int, int]:
    given = sample.extra.get("size")
    if isinstance(given, (list, tuple)) and len(given) >= 2:
        return int(given[0]), int(given[1])
    return size_of(sample)


def _categories(dataset: Dataset) -> list[dict[str, Any]]:
    if dataset.space is None:
        return []
    names, ids = dataset.space.names, dataset.space.ids or range(len(dataset.space.names))
    about = dataset.extra.get("categories")
    about = about if isinstance(about, list) and len(about) == len(names) else [{}] * len(names)
    return [{"id": number, "name": name, **more} for number, name, more in zip(ids, names, about)]


def _picture(sample: Sample, name: str, number: int, size: tuple[int, int], splits: bool) -> dict[str, Any]:
    about = sample.extra.get("picture")
    more = {key: value for key, value in about.items() if key not in _OWN_PICTURE} if isinstance(about, dict) else {}
    values = {"id": number, "file_name": name, "width": size[1], "height": size[0], **more}
    if splits and sample.split:
        values["split"] = sample.split
    if sample.group:
        values["group"] = sample.group
    if sample.label is None:
        values["labeled"] = False
    return values


def _annotations(
    sample: Sample, label: Detections, picture: int, size: tuple[int, int], ids: Sequence[int] | None, numbers: Numbers
) -> list[dict[str, Any]]:
    scored = bool((label.scores != 1).any())
    rows = []
    for i, note in enumerate(things_of(sample)):
        (x, w), (y, h) = (start_and_length(label.boxes[i, a], label.boxes[i, a + 2]) for a in (0, 1))
        number, kind = numbers.thing(), int(label.classes[i])
        row: dict[str, Any] = {"id": number, "image_id": picture, "category_id": kind if ids is None else ids[kind]}
        row["bbox"] = [plain(text) for text in (x, y, w, h)]
        outline = label.outlines[i] if label.outlines is not None else None
        row["area"] = note["area"] if "area" in note else _area(label.boxes[i], outline)
        row["iscrowd"] = int(label.crowd[i]) if label.crowd is not None else 0
        if outline is not None:
            row["segmentation"] = _segmentation(outline, size, sample)
        if scored:
            row["score"] = plain(exact(label.scores[i]))
        if label.tracks is not None:
            row["track_id"] = int(label.tracks[i])
        if label.texts is not None:
            row["text"] = label.texts[i]
        rows.append(row | {key: value for key, value in note.items() if key not in (*_OWN_THING, "id")})
    return rows


def _area(box: np.ndarray, outline: Outline | None) -> float:
    if outline is not None:
        return round(outline.area(), 4)
    wide, tall = (float(box[2]) - float(box[0]), float(box[3]) - float(box[1]))
    return round(max(wide, 0) * max(tall, 0), 4)


def _segmentation(outline: Outline, size: tuple[int, int], sample: Sample) -> Any:
    if isinstance(outline, Polygons):
        return outline.to_dict()["polygons"]
    if isinstance(outline, Runs) and outline.size != size:
        raise DataError("run lengths of another size than the picture's", file=sample.id, value=f"{outline.size}, {size}")
    return outline.to_dict()

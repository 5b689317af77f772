"""One annotation of a COCO document: its box, its outline, and every way in which it can be wrong."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from vidi.data.readers._json import is_number, is_whole
from vidi.data.readers._things import FARTHEST, Things
from vidi.errors import DataError
from vidi.labels import Outline, Polygons, Runs
from vidi.ops.runs import unpack_counts

_READ = ("image_id", "category_id", "bbox", "segmentation", "iscrowd", "score", "track_id", "text")
Size = tuple[int, int] | None


def add_thing(things: Things, values: dict[str, Any], label: int, size: Size, at: str) -> None:
    """Put an annotation's thing to the others of its picture.

    Args:
        label: its class's index.
        size: the picture's (height, width), where the document tells.
        at: the annotation's JSON pointer.

    Raises:
        DataError: something in it cannot be used; `at` is its JSON pointer.
    """
    who = f"annotation {values.get('id', '?')}"
    crowd = values.get("iscrowd", 0)
    if crowd not in (0, 1) or isinstance(crowd, float):
        raise DataError(f"{who}: iscrowd must be 0 or 1", at=f"{at}/iscrowd", value=crowd)
    score = values.get("score")
    if score is not None and not (is_number(score) and 0 <= score <= 1):
        raise DataError(f"{who}: a score lies in 0..1", at=f"{at}/score", value=score)
    outline = outline_of(values.get("segmentation"), size, f"{at}/segmentation", who)
    box = _box(values.get("bbox"), outline, f"{at}/bbox", who)
    track, text = values.get("track_id"), values.get("text")
    note = {key: value for key, value in values.items() if key not in _READ}
    if track is not None and not (is_whole(track) and abs(track) < 1 << 63):
        note["track_id"], track = track, None
    if text is not None and not isinstance(text, str):
        note["text"], text = text, None
    things.add(box, label, at, score=score, crowd=bool(crowd), track=track, text=text, outline=outline, note=note)


def _box(value: Any, outline: Outline | None, at: str, who: str) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 of x, y, width, height; without them, of the outline."""
    if value is None and outline is not None:
        x1, y1, x2, y2 = outline.box().tolist()
        return x1, y1, x2, y2
    if value is None:
        raise DataError(f"{who}: no bbox", at=at, fix="bbox: [x, y, width, height]")
    if not isinstance(value, list) or len(value) != 4 or not all(is_number(part) for part in value):
        raise DataError(f"{who}: a bbox is four numbers: x, y, width, height", at=at, value=value)
    try:
        x, y, w, h = map(float, value)
    except OverflowError:
        return (float("nan"),) * 4
    return x, y, x + w, y + h


def outline_of(value: Any, size: Size, at: str, who: str) -> Outline | None:
    """Polygons or run lengths out of a ``segmentation``; None when there is nothing in it.

    Raises:
        DataError: not such a thing.
    """
    if value is None or value == []:
        return None
    if isinstance(value, dict):
        return _runs(value, size, at, who)
    if isinstance(value, list) and all(isinstance(ring, list) for ring in value):
        return Polygons(tuple(_ring(ring, f"{at}/{i}", who) for i, ring in enumerate(value)))
    raise DataError(f"{who}: a segmentation is a list of polygons or an object with size and counts", at=at, value=value)


def _ring(values: list[Any], at: str, who: str) -> np.ndarray:
    if len(values) < 6 or len(values) % 2:
        raise DataError(f"{who}: a polygon of {len(values)} numbers", at=at, fix="x, y, x, y, x, y, …: at least three points")
    with contextlib.suppress(OverflowError):
        if set(map(type, values)) <= {int, float} and np.abs(points := np.asarray(values, np.float64)).max() <= FARTHEST:
            return points.reshape(-1, 2)
    for i, value in enumerate(values):
        if not is_number(value) or not abs(value) <= FARTHEST:
            raise DataError(f"{who}: not a coordinate", at=f"{at}/{i}", value=value, fix=f"a finite number up to {FARTHEST:.0f}")
    return np.asarray(values, np.float64).reshape(-1, 2)


def _runs(value: dict[str, Any], size: Size, at: str, who: str) -> Runs:
    given, counts = value.get("size"), value.get("counts")
    if not isinstance(given, list) or len(given) != 2 or not all(is_whole(side) and side > 0 for side in given):
        raise DataError(f"{who}: run lengths need a size of two whole numbers, height and width", at=f"{at}/size", value=given)
    if size is None or (given[0], given[1]) != size:
        expected = "the picture has no height and width" if size is None else f"[{size[0]}, {size[1]}], the picture's height and width"
        hint = "; height comes first" if size is not None and (given[1], given[0]) == size else ""
        raise DataError(f"{who}: run lengths of another size than the picture's", at=f"{at}/size", value=given, fix=f"expected {expected}{hint}")
    if isinstance(counts, str):
        try:
            lengths = unpack_counts(counts)
        except ValueError as error:
            raise DataError(f"{who}: {error}", at=f"{at}/counts", value=counts) from None
    elif isinstance(counts, list) and all(is_whole(count) for count in counts):
        wrong = next((i for i, count in enumerate(counts) if not 0 <= count <= size[0] * size[1]), None)
        if wrong is not None:
            raise DataError(f"{who}: a run of {counts[wrong]} pixels in a picture of {size[0] * size[1]}", at=f"{at}/counts/{wrong}")
        lengths = np.asarray(counts, np.int64)
    else:
        raise DataError(f"{who}: counts must be a list of whole numbers or a compressed string", at=f"{at}/counts", value=counts)
    pixels = size[0] * size[1]
    odd = (lengths < 0) | (lengths > pixels)
    if odd.any() or lengths.sum() != pixels:
        what = f"a run of {lengths[odd][0]} pixels in a picture of {pixels}" if odd.any() else f"counts sum to {lengths.sum()} ≠ {pixels}"
        raise DataError(f"{who}: {what}", at=f"{at}/counts", fix="the runs must fill the picture exactly")
    return Runs(size, lengths)

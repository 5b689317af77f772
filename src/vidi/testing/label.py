"""What every label family must hold to, beginning with the empty label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from vidi.labels import Classification, Detections, Embedding, Label, Outline, Polygons, Regression, Segmentation, Text

SIZE = (12, 16)


def label_examples(family: type[Label]) -> list[Label]:
    """Labels of a built-in family for a picture of 12×16 pixels: the empty one first, then ordinary and odd ones."""
    nan, mask = np.nan, np.zeros((2, *SIZE), bool)
    mask[0, 2:6, 3:9] = mask[1, 7:11, 5:7] = True
    boxes, stripes = np.array([[3, 2, 9, 6], [5, 7, 7, 11]]), np.arange(12 * 16).reshape(SIZE) // 40
    ring = np.array([[3, 2], [9, 3.5], [6.25, 6]])
    chances = np.stack([stripes == c for c in range(5)]) * 0.6 + 0.08
    examples: dict[str, list[Label]] = {
        "Classification": [Classification(np.array(values)) for values in ([], [0.1, 0.7, 0.2], [nan, 1, 0], [nan])],
        "Regression": [
            Regression(np.zeros(0)), Regression(np.array([1.5, -2]), np.array([0.1, 0.3])), Regression(np.array([nan, 3.0])),
        ],
        "Detections": [
            Detections.empty(), Detections(np.zeros((0, 4)), masks=np.zeros((0, *SIZE), bool), texts=()), Detections(boxes),
            Detections(boxes, np.array([0.9, 0.25]), np.array([2, 0]), mask, np.array([7, 8]), ("é", ""),
                       np.array([False, True])),
            Detections(np.zeros((0, 4)), outlines=()), Detections(boxes, outlines=(None, Outline.of(mask[1]))),
            Detections(boxes, outlines=(Polygons((ring, ring[::-1] - 1)), Polygons(()))),
        ],
        "Segmentation": [
            Segmentation(np.zeros((0, 0))), Segmentation(np.full(SIZE, 255)), Segmentation(stripes),
            Segmentation(np.where(stripes == 1, 255, stripes)), Segmentation.from_probabilities(chances),
        ],
        "Text": [Text(""), Text("naïve\nline", 0.5), Text("شعر 文")],
        "Embedding": [Embedding(np.zeros(0)), Embedding(np.zeros(4)), Embedding(np.array([1, -2, 0.5]))],
    }  # fmt: skip
    return examples[family.__name__]


def check_label(family: type[Label], examples: Sequence[Label] | None = None) -> None:
    """Check a label family on examples of pictures of 12×16 pixels (`label_examples` for a built-in family).

    Args:
        family: the class.
        examples: labels of it, the empty one first; needed for a family from outside.

    Raises:
        AssertionError: says which promise is broken, by which example.
    """
    for index, label in enumerate(examples if examples is not None else label_examples(family)):
        where = f"{family.__name__} example {index}"
        before = label.to_dict()
        _check_dict(family, label, where)
        _check_agreement(label, where)
        _check_warp(label, where)
        _check_merge(family, label, where)
        _check_draw(label, where)
        _check_words(label, where)
        _expect(label.to_dict() == before, where, "no method may change the label")


def _expect(holds: bool, where: str, promise: str, got: Any = None) -> None:
    if not holds:
        raise AssertionError(f"{where}: {promise}" + ("" if got is None else f"; got {got}"))


def _check_dict(family: type[Label], label: Label, where: str) -> None:
    values = label.to_dict()
    _expect(values.get("family") == family.__name__, where, "to_dict names the family", values.get("family"))
    again = family.from_dict(json.loads(json.dumps(values, allow_nan=False)))
    _expect(
        type(again) is family and again.to_dict() == values, where, "from_dict is the exact inverse of to_dict", again.to_dict()
    )


def _check_agreement(label: Label, where: str) -> None:
    itself = label.agreement(label)
    _expect(isinstance(itself, float) and abs(itself - 1) < 1e-6, where, "a label agrees with itself (1.0)", itself)


def _check_warp(label: Label, where: str) -> None:
    same = label.warp(np.eye(3), _size(label))
    _expect(same.to_dict() == label.to_dict(), where, "warping by the identity changes nothing", same.to_dict())
    height, width = _size(label)
    roomy = np.array([[2, 0, 5], [0, 2, 3], [0, 0, 1]], np.float64)
    there = label.warp(roomy, (2 * height + 8, 2 * width + 11))
    back = there.warp(np.linalg.inv(roomy), (height, width))
    _expect(label.agreement(back) > 1 - 1e-6, where, "a warp and its inverse cancel", label.agreement(back))
    mirror = np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1]], np.float64)
    twice = label.warp(mirror, (height, width)).warp(mirror, (height, width))
    _expect(label.agreement(twice) > 1 - 1e-6, where, "flipping twice changes nothing", label.agreement(twice))
    far = label.warp(np.array([[1, 0, 1e4], [0, 1, 1e4], [0, 0, 1.0]]), (height, width))
    _expect(type(far) is type(label), where, "a label pushed out of the picture is still a label", type(far).__name__)


def _size(label: Label) -> tuple[int, int]:
    return getattr(getattr(label, "classes", None), "shape", SIZE) if type(label).__name__ == "Segmentation" else SIZE


def _check_merge(family: type[Label], label: Label, where: str) -> None:
    for count, weights in ((1, None), (3, None), (2, [1.0, 3.0])):
        merged = family.merge([label] * count, weights)
        _expect(type(merged) is family, where, "merge gives the same family", type(merged).__name__)
        _expect(label.agreement(merged) > 1 - 1e-5, where, f"{count} equal labels merge to themselves", label.agreement(merged))
    try:
        family.merge([])
    except ValueError:
        return
    _expect(False, where, "merging nothing raises ValueError")


def _check_draw(label: Label, where: str) -> None:
    image = np.full((*_size(label), 3), 90, np.uint8)
    if 0 in image.shape:
        return
    drawn = label.draw(image, ["only one name"])
    _expect(
        drawn.dtype == np.uint8 and drawn.ndim == 3 and drawn.shape[2] == 3, where, "draw gives (H, W, 3) uint8", drawn.shape
    )
    _expect(bool((image == 90).all()), where, "draw leaves the picture alone")


def _check_words(label: Label, where: str) -> None:
    for names in ((), ("only one name",)):
        _expect(isinstance(label.words(names), str), where, "words gives text", label.words(names))
        record = label.record(names)
        flat = all(value is None or isinstance(value, (str, int, float)) for value in record.values())
        _expect(flat and all(isinstance(key, str) for key in record), where, "record gives a flat table row", record)

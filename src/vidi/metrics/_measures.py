"""By what things are compared: their boxes, their masks, or the borders of their masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.errors import InputError
from vidi.labels import Detections, Runs
from vidi.ops.box_overlap import overlap_matrix
from vidi.ops.boxes import area
from vidi.ops.cutouts import Cutout, border, cut_out, cutout_overlaps, filled, pixel_counts

DILATION = 0.02
"""How far a border reaches into a mask, as a share of the picture's diagonal."""

_WIDEST = 1 << 15


@dataclass(frozen=True, slots=True)
class Measure:
    """How things are compared.

    Args:
        name: the first part of its numbers' names.
        of: for titles.
        shapes: (label, indices of things, (height, width) or None) → what is compared of them.
        overlap: (predicted shapes, true shapes, (T,) crowds, floor) → (P, T) float64; what cannot reach the floor may be 0.
        sizes: predicted shapes → (P,) areas in square pixels.
        pixels: whether shapes are pixels, which need a picture to lie in.
    """

    name: str
    of: str
    shapes: Callable[[Detections, np.ndarray, Any], Any]
    overlap: Callable[[Any, Any, np.ndarray, float], np.ndarray]
    sizes: Callable[[Any], np.ndarray]
    pixels: bool = True


def thing_sizes(label: Detections) -> np.ndarray:
    """(N,) areas of what marks each thing most closely: its mask, its outline, or its box."""
    if label.masks is not None:
        return label.masks.sum((1, 2)).astype(np.float64)
    sizes = area(label.boxes)
    for i, outline in enumerate(label.outlines or ()):
        sizes[i] = sizes[i] if outline is None else outline.area()
    return sizes


def outlined(label: Detections) -> bool:
    """Whether a mask or an outline is known of any thing."""
    return label.masks is not None or any(outline is not None for outline in label.outlines or ())


def by_what(truth: Sequence[Detections], predicted: Sequence[Detections]) -> Measure:
    """Masks where truth and predictions have them, otherwise boxes."""
    return MASKS if any(map(outlined, truth)) and any(map(outlined, predicted)) else BOXES


def canvas_of(labels: Sequence[Detections], size: tuple[int, int] | None, row: int) -> tuple[int, int]:
    """The (height, width) of the picture that masks lie in: that of the masks or run lengths; else the one given; else as far as things
    reach.

    Raises:
        InputError: the masks of one picture differ in size, or its size is not known and things reach beyond any picture.
    """
    found = {canvas for label in labels for canvas in _canvases(label)}
    if len(found) > 1:
        sizes = " and ".join(f"{height}×{width}" for height, width in sorted(found))
        raise InputError("masks of one picture differ in size", at=row, value=sizes)
    if found or size is not None:
        return found.pop() if found else (int(size[0]), int(size[1]))  # type: ignore[index]
    ends = [box[2:] for label in labels for box in (*label.boxes, *(one.box() for one in label.outlines or () if one is not None))]
    width, height = np.ceil(np.max(ends, axis=0, initial=1)).tolist() if ends else (1, 1)
    if max(width, height) > _WIDEST:
        raise InputError("things reach beyond any picture", at=row, value=f"{height:.0f}×{width:.0f}", fix="give the pictures' sizes")
    return int(height), int(width)


def _canvases(label: Detections) -> Iterator[tuple[int, int]]:
    if label.masks is not None and len(label):
        yield label.masks.shape[1], label.masks.shape[2]
    elif label.masks is None:
        yield from {outline.size for outline in label.outlines or () if isinstance(outline, Runs)}


def cutouts(label: Detections, chosen: np.ndarray, size: tuple[int, int]) -> list[Cutout]:
    """The pixels of things: of their masks, else of their outlines, else those whose center lies in their box."""
    if label.masks is not None:
        return [cut_out(label.masks[i]) for i in chosen]
    outlines = label.outlines or [None] * len(label)
    return [filled(label.boxes[i], size) if (one := outlines[i]) is None else one.cutout(size) for i in chosen]


@dataclass(frozen=True, slots=True)
class _Bordered:
    """Masks and their borders."""

    whole: list[Cutout]
    borders: list[Cutout]


def _bordered(label: Detections, chosen: np.ndarray, size: tuple[int, int]) -> _Bordered:
    whole = cutouts(label, chosen, size)
    reach = max(1, round(DILATION * float(np.hypot(*size))))
    return _Bordered(whole, [border(cut, reach) for cut in whole])


def _border_overlap(predicted: _Bordered, truth: _Bordered, crowd: np.ndarray, floor: float) -> np.ndarray:
    masks = cutout_overlaps(predicted.whole, truth.whole, crowd, floor)
    borders = cutout_overlaps(predicted.borders, truth.borders, None, floor)
    return np.where(crowd[None], masks, np.minimum(masks, borders))


BOXES = Measure(
    "box", "boxes", lambda label, chosen, size: label.boxes[chosen],
    lambda predicted, truth, crowd, floor: overlap_matrix(predicted, truth, crowd), area, pixels=False,
)  # fmt: skip
"""IoU of boxes; with a crowd, the share of the predicted box inside it."""

MASKS = Measure("mask", "masks", cutouts, cutout_overlaps, pixel_counts)
"""IoU of masks; with a crowd, the share of the predicted mask inside it."""

BORDERS = Measure("boundary", "boundaries", _bordered, _border_overlap, lambda shapes: pixel_counts(shapes.whole))
"""Boundary IoU (Cheng et al. 2021, arXiv:2103.16562) where it is below that of the masks; with a crowd as `MASKS`."""

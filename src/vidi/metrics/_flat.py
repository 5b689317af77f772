"""Things laid on one canvas, so that each pixel belongs to one of them at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidi.errors import InputError
from vidi.labels import Detections
from vidi.labels.outline import Runs

MOST_PIXELS = 2**30


@dataclass(frozen=True, slots=True)
class Flat:
    """N things on a canvas.

    Args:
        owners: (H, W) int64, the index of each pixel's thing, −1 for none.
        areas: (N,) int64 pixels that each thing has there; 0: it is hidden, or was left out.
    """

    owners: np.ndarray
    areas: np.ndarray


def canvas(labels: Sequence[Detections], size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The (height, width) of the picture that labels are about: `size`, that of their masks and run lengths, or just what holds all boxes.

    Raises:
        InputError: these sizes differ, or boxes reach over more than 2³⁰ pixels.
    """
    sizes = {(int(size[0]), int(size[1]))} if size is not None else set()
    for label in labels:
        sizes |= {label.masks.shape[1:]} if label.masks is not None else set()
        sizes |= {outline.size for outline in label.outlines or () if isinstance(outline, Runs)}
    if len(sizes) > 1:
        shown = " and ".join(f"{height}×{width}" for height, width in sorted(sizes))
        raise InputError("the masks of a picture must be of one size", value=shown)
    if sizes:
        return sizes.pop()
    width, height = np.ceil(np.concatenate([np.zeros((1, 2)), *(label.boxes[:, 2:] for label in labels)]).max(0)).tolist()
    if width * height > MOST_PIXELS:
        raise InputError("boxes reach too far to be drawn pixel by pixel", value=f"{height:.0f}×{width:.0f}", fix="give the pictures' sizes")
    return int(height), int(width)


def flattened(label: Detections, size: tuple[int, int], *, kept: float = 0.0, last: np.ndarray | None = None) -> Flat:
    """Lay things on a canvas of (height, width): the one with the highest score takes its pixels first, of equal ones the smallest.

    Args:
        kept: a thing of whose pixels a smaller share is still free is left out, and leaves its pixels to others.
        last: (N,) bool, things that take what all others leave.
    """
    patches = [_patch(label[i], size) for i in range(len(label))]
    pixels = np.array([mask.sum() for _, mask in patches], np.int64)
    owners, areas = np.full(size, -1, np.int64), np.zeros(len(label), np.int64)
    for i in np.lexsort((pixels, -label.scores, np.zeros(len(label), bool) if last is None else last)).tolist():
        place, mask = patches[i]
        free = mask & (owners[place] < 0)
        area = int(free.sum())
        if area >= kept * pixels[i]:
            owners[place][free] = i
            areas[i] = area
    return Flat(owners, areas)


def _patch(thing: Detections, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Where one thing's pixels are, and which of that part are its own."""
    mask = thing.bitmaps(size)[0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (slice(0, 0), slice(0, 0)), mask[:0, :0]
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return place, mask[place].copy()

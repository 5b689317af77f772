"""Labels of overlapping windows of one picture, brought together: the families' `stitch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vidi.labels.outline import Outline, Runs
from vidi.ops.cutouts import united
from vidi.ops.stitch import blend_weights, stitch_boxes

if TYPE_CHECKING:
    from vidi.labels.detections import Detections
    from vidi.labels.segmentation import Segmentation


def detections(labels: Sequence[Detections], windows: np.ndarray, size: tuple[int, int]) -> Detections:
    """See `vidi.ops.stitch.stitch_boxes`; masks become outlines, as whole masks of a large picture fill the memory; a thing joined of parts has
    the union of its parts' pixels."""
    from vidi.labels.detections import Detections

    placed = [_shifted(label.compact(), window, size) for label, window in zip(labels, windows)]
    every = Detections.concatenate([label for label in placed if len(label)] or placed[:1])  # an empty label lacks outlines
    owners = np.repeat(np.arange(len(labels)), [len(label) for label in labels])
    boxes, scores, groups = stitch_boxes(every.boxes, every.scores, every.classes, owners, windows, size)
    led = every[np.array([group[0] for group in groups], np.int64)]
    outlines = led.outlines
    if outlines is not None and every.outlines is not None:
        outlines = tuple(_united([every.outlines[i] for i in group], size) for group in groups)
    return replace(led, boxes=boxes, scores=scores, outlines=outlines)


def _united(parts: list[Outline | None], size: tuple[int, int]) -> Outline | None:
    """One outline out of those of parts of a thing; None where that of a part is not known."""
    known = [part for part in parts if part is not None]
    if len(parts) == 1 or len(known) < len(parts):
        return parts[0] if len(parts) == 1 else None
    return Runs.of_cutout(united([part.cutout(size) for part in known]), size)


def _shifted(label: Detections, window: np.ndarray, size: tuple[int, int]) -> Detections:
    """The label in the picture's pixels."""
    x, y = float(window[0]), float(window[1])
    if (x, y) == (0, 0) and label.outlines is None:
        return label
    return label.warp(np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]), size)


def segmentation(labels: Sequence[Segmentation], windows: np.ndarray, size: tuple[int, int]) -> Segmentation:
    """Mean probabilities where every label has them, otherwise a vote; a window counts most in its middle."""
    from vidi.labels.segmentation import Segmentation

    ignore = labels[0].ignore
    chances = [label.probabilities for label in labels if label.probabilities is not None]
    if len(chances) < len(labels):
        names = np.unique(np.concatenate([label.classes[label.classes != label.ignore] for label in labels]))
        chances = [(label.classes == names[:, None, None]).astype(np.float32) for label in labels]
    total, weight = np.zeros((len(chances[0]), *size), np.float32), np.zeros(size, np.float32)
    for values, (x1, y1, x2, y2) in zip(chances, np.asarray(windows, np.int64).tolist()):
        bump = blend_weights((y2 - y1, x2 - x1)).astype(np.float32) * (values.sum(0) > 0)
        total[:, y1:y2, x1:x2] += bump * values
        weight[y1:y2, x1:x2] += bump
    np.divide(total, weight, out=total, where=weight > 0)
    if any(label.probabilities is None for label in labels):
        known = (total.sum(0) > 0) if len(total) else np.zeros(size, bool)
        return Segmentation(np.where(known, names[total.argmax(0)] if len(total) else ignore, ignore), None, ignore)
    return Segmentation.from_probabilities(total, ignore)

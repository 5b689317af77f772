"""The detections of a frame as a tracker works with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidi.ops.boxes import iou_matrix


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame's detections in an order that does not depend on how they were given: boxes (M, 4) float64, scores, classes, unit vectors
    (M, D) or None, and the place of each among those given."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    vectors: np.ndarray | None
    places: np.ndarray


def single(boxes: np.ndarray, classes: np.ndarray | None, most: float) -> np.ndarray:
    """(M,) bool, which boxes overlap none before them that stays by more than `most`."""
    kept = np.ones(len(boxes), bool)
    close = iou_matrix(boxes, boxes) > most
    if classes is not None:
        close &= classes[:, None] == classes
    for place in np.flatnonzero(np.tril(close, -1).any(1)).tolist():
        kept[place] = not (close[place, :place] & kept[:place]).any()
    return kept

"""Anchors and what they match, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidi.core.preprocess import Preprocess
from vidi.labels._draw import canvas, class_color, font_for, name_of, tag
from vidi.ops.boxes import iou_matrix

GROUND, TRUTH, GOOD, POOR = (250, 250, 250), (40, 200, 80), (60, 130, 240), (230, 75, 53)
_CHUNK = 64


def shapes_picture(anchors: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8: all anchors (K, 2) around the middle of the input, each in its color with its sides."""
    from PIL import ImageDraw

    picture, factor = canvas(np.full((*size, 3), GROUND, np.uint8), 320)
    pen, face = ImageDraw.Draw(picture), font_for(picture)
    middle = np.array(picture.size) / 2
    for index in np.argsort(-anchors.prod(1), kind="stable"):
        half = anchors[index] * factor / 2
        box = np.clip([middle - half, middle + half], 0, np.array(picture.size) - 1).ravel().tolist()
        pen.rectangle(box, outline=class_color(int(index)), width=2)
        tag(pen, (box[0], box[1]), f"{anchors[index, 0]:.0f}×{anchors[index, 1]:.0f}", class_color(int(index)), face, picture.size)
    return np.asarray(picture)


def cloud(shapes: np.ndarray, sets: Sequence[tuple[str, np.ndarray]], most: int = 800) -> dict[str, Any]:
    """A section with the boxes' and the anchors' widths and heights."""
    chosen = shapes[np.linspace(0, len(shapes) - 1, min(most, len(shapes))).round().astype(int)]
    series = []
    for name, points in (("boxes", chosen), *sets):
        series.append({"name": name, "x": points[:, 0].round(1).tolist(), "y": points[:, 1].round(1).tolist()})
    title = "Widths and heights in input pixels"
    return {"kind": "scatter", "title": title, "xlabel": "width", "ylabel": "height", "series": series, "wide": True}


def best_matches(truth: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each true box (N, 4) the anchor (N,) of (A, 4) that overlaps it most, and the IoU (N,)."""
    if not len(truth) or not len(anchors):
        return np.zeros(len(truth), np.int64), np.zeros(len(truth))
    parts = [iou_matrix(truth[i : i + _CHUNK], anchors) for i in range(0, len(truth), _CHUNK)]
    return np.concatenate([part.argmax(1) for part in parts]), np.concatenate([part.max(1) for part in parts])


def matching_picture(
    sample: Any, label: Any, rule: Preprocess, anchors: np.ndarray, least: float, names: Sequence[str]
) -> tuple[np.ndarray, str]:
    """(H, W, 3) uint8 with each true box, the anchor that overlaps it most and their IoU; and how many
    overlap by `least` or more."""
    from PIL import ImageDraw

    picture, factor = canvas(rule.load(sample.inputs.get("image"), sample.id)[0], 320)
    pen, face = ImageDraw.Draw(picture), font_for(picture)
    chosen, overlap = best_matches(label.boxes, anchors)
    for box, kind, index, iou in zip(label.boxes, label.classes, chosen, overlap):
        pen.rectangle((box * factor).tolist(), outline=TRUTH, width=2)
        color = GOOD if iou >= least else POOR
        if len(anchors):
            pen.rectangle((anchors[index] * factor).tolist(), outline=color, width=2)
        tag(pen, (float(box[0] * factor), float(box[1] * factor)), f"{name_of(int(kind), names)} {iou:.2f}", color, face, picture.size)
    good = int((overlap >= least).sum())
    return np.asarray(picture), f"{good} of {len(overlap)}: {Path(sample.id).name}"

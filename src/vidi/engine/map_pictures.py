"""Pictures of class maps for a report: truth, prediction and errors side by side, and regions that were missed or made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.images import decode
from vidi.errors import VidiError
from vidi.labels import Segmentation
from vidi.labels._draw import class_color
from vidi.metrics._regions import worst_regions
from vidi.report.pictures import encode

SIDE = 320
CROP = 160
WRONG = (225, 30, 45)
UNKNOWN = (40, 40, 60)
LEAST_REACH = 24


def panels(scored: Any, i: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """One sample: truth, prediction, and where they differ (wrong pixels red, those of unknown truth dark)."""
    sample, guess = scored.dataset[i], scored.inference.labels[i]
    names = scored.dataset.space.names
    pixels, truth, guess = shrunk(decode(sample.inputs["image"], name=sample.id), [sample.label, guess], SIDE)
    drawn = [label.draw(pixels, names) for label in (truth, guess)]
    factor = len(drawn[0]) // len(pixels)
    errors = error_map(pixels, truth, guess).repeat(factor, 0).repeat(factor, 1)
    return {"image": encode(beside([*drawn, errors]), 3 * SIDE), "caption": f"{truth.words(names)} → {guess.words(names)}"}


def error_map(pixels: np.ndarray, truth: Segmentation, guess: Segmentation) -> np.ndarray:
    """The picture (H, W, 3) uint8 in gray, wrong pixels red, those of unknown truth dark."""
    true, found = truth.classes, guess.classes
    known = true != truth.ignore
    shown = np.repeat(128 + 0.4 * (pixels.astype(np.float32).mean(2, keepdims=True) - 96), 3, 2)
    for spot, color in ((known & ((true != found) | (found == guess.ignore)), WRONG), (~known, UNKNOWN)):
        shown[spot] = 0.25 * shown[spot] + 0.75 * np.array(color, np.float32)
    return shown.clip(0, 255).astype(np.uint8)


def shrunk(pixels: np.ndarray, labels: Sequence[Segmentation], side: int) -> tuple[np.ndarray, Segmentation, Segmentation]:
    """A picture and two maps of it, scaled down together until the longer side has `side` pixels; smaller ones as they are."""
    from PIL import Image

    height, width = pixels.shape[:2]
    share = side / max(height, width)
    if share >= 1:
        return pixels, *(Segmentation(label.classes, None, label.ignore) for label in labels)  # type: ignore[return-value]
    size = max(1, round(height * share)), max(1, round(width * share))
    matrix = np.diag([size[1] / width, size[0] / height, 1.0])
    small = np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BOX))
    return small, *(Segmentation(label.classes, None, label.ignore).warp(matrix, size) for label in labels)  # type: ignore[return-value]


def beside(pictures: Sequence[np.ndarray], gap: int = 4) -> np.ndarray:
    """Pictures of one height in a row on white."""
    white = np.full((len(pictures[0]), gap, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (white, picture)][1:], 1)


def sections(scored: Any, settings: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The largest regions that were missed, and that were seen where there is something else, cut out with their surroundings."""
    ids = [sample.id for sample in scored.dataset.samples]
    sides = worst_regions(scored.dataset.labels, scored.inference.labels, ids, scored.dataset.space, count=count)
    found = []
    for title, listed in zip(("Regions missed, largest first", "Regions found for nothing, largest first"), sides):
        items = [_cut(scored, region) for region in listed]
        note = "Picture, truth, prediction. At most half of the region's pixels are right."
        found.append({"kind": "gallery", "title": title, "items": [item for item in items if item], "note": note})
    return found


def _cut(scored: Any, region: dict[str, Any]) -> dict[str, Any] | None:
    sample = scored.dataset[region["index"]]
    try:
        pixels = decode(sample.inputs["image"], name=sample.id)
    except VidiError:
        return None
    x1, y1, x2, y2 = region["box"]
    reach = max(x2 - x1, y2 - y1, LEAST_REACH)
    (top, bottom), (left, right) = (
        (max(0, (low + high) // 2 - reach), (low + high) // 2 + reach) for low, high in ((y1, y2), (x1, x2))
    )
    window = slice(top, bottom), slice(left, right)
    labels = [Segmentation(label.classes[window], None, label.ignore) for label in (sample.label, scored.inference.labels[region["index"]])]
    small, truth, guess = shrunk(pixels[window], labels, CROP)
    row = beside([small, *(tinted(small, label) for label in (truth, guess))])
    factor = max(1, CROP // max(small.shape[:2]))
    image = encode(row.repeat(factor, 0).repeat(factor, 1), 3 * CROP + 8 * factor)
    note = f"{sample.id} · {region['area']} px, {region['cover']:.0%} right"
    return {"image": image, "caption": region["name"], "note": note, "mark": "bad"}


def tinted(pixels: np.ndarray, label: Segmentation) -> np.ndarray:
    """The picture with each class in its color, without a legend; unknown pixels as they are."""
    shown, classes = pixels.astype(np.float32), label.classes
    for index in np.unique(classes[classes != label.ignore]).tolist():
        spot = classes == index
        shown[spot] = 0.45 * shown[spot] + 0.55 * np.array(class_color(index), np.float32)
    return shown.astype(np.uint8)

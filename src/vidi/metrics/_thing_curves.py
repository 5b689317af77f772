"""Precision over recall of things at two overlaps, by any measure of overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Detections
from vidi.metrics._arrays import drawn_classes, names_of, rounded
from vidi.metrics._matching import Things, match, things_of
from vidi.metrics._measures import Measure
from vidi.metrics._precision import GRID, precision_at

IOUS = (0.5, 0.75)


def precision_curves(things: Things, ious: Sequence[float]) -> np.ndarray:
    """Interpolated precision at the 101 recalls of COCO, (len(ious), C, 101); NaN for classes that have nothing to find."""
    curves = np.full((len(ious), things.classes, len(GRID)), np.nan)
    target = match(things, np.array(ious))
    spared = np.append(things.truth.crowd, False)[target]
    wanted = np.bincount(things.truth.classes[~things.truth.crowd], minlength=things.classes)
    orders = things.order() if things.classes else []
    for c in np.flatnonzero(wanted):
        for t in range(len(ious)):
            order = orders[c][~spared[t, orders[c]]]
            curves[t, c] = precision_at(target[t, order] >= 0, int(wanted[c]))
    return curves


@dataclass(frozen=True, slots=True)
class Curves:
    """A metric: precision over recall of things by one measure, figures only."""

    measure: Measure

    def numbers(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> dict[str, float | None]:
        """No numbers."""
        return {}

    def figures(
        self, truth: Sequence[Detections], predicted: Sequence[Detections], space: Space, settings: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """At IoU 0.5 and 0.75: the mean over the classes, and at most ten classes, those with the smallest area."""
        things = things_of(truth, predicted, space, settings, self.measure)
        curves, names, found = precision_curves(things, IOUS), names_of(space, things.classes), []
        for iou, curve in zip(IOUS, curves):
            area = curve.mean(1)
            known = ~np.isnan(area)
            if not known.any():
                continue
            chosen, several = drawn_classes(area), known.sum() > 1
            series = [_line("mean of the classes", curve[known].mean(0))] if several else []
            series += [_line(names[c], curve[c]) for c in chosen]
            title = f"Precision and recall of {self.measure.of} at IoU {iou}"
            if len(chosen) < len(names):
                title += f" ({len(chosen)} of {len(names)} classes, smallest area)"
            axes = {"xlabel": "recall", "ylabel": "precision", "y_range": [0.0, 1.0]}
            found.append({"kind": "lines", "title": title, **axes, "series": series, "diagonal": False})
        return found


def _line(name: str, precision: np.ndarray) -> dict[str, Any]:
    return {"name": f"{name} ({precision.mean():.3f})", "x": rounded(GRID), "y": rounded(precision)}

"""What readers of boxes share: building a picture's label, and words that name splits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidi.data.readers._scan import SPLITS
from vidi.labels import Detections, Outline

LARGEST = float(np.finfo(np.float32).max)
FARTHEST = 1e6
"""No point of an outline may lie farther from the picture's corner than so many pixels."""


@dataclass(slots=True)
class Things:
    """The things of one picture as they are read, one entry each.

    Args:
        boxes: x1, y1, x2, y2; what is no finite 32-bit number becomes NaN.
        scores, tracks, texts: None for a thing without one.
        places: where each stands in its file.
        notes: what the source says of each beyond the label, in plain JSON values.
    """

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    tracks: list[int | None] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    outlines: list[Outline | None] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        box: Iterable[float],
        label: int,
        place: str,
        *,
        score: float | None = None,
        crowd: bool = False,
        track: int | None = None,
        text: str | None = None,
        outline: Outline | None = None,
        note: dict[str, Any] | None = None,
    ) -> None:
        x1, y1, x2, y2 = box
        self.boxes.append((x1, y1, x2, y2))
        self.classes.append(label)
        self.scores.append(score)
        self.crowd.append(crowd)
        self.tracks.append(track)
        self.texts.append(text)
        self.outlines.append(outline)
        self.places.append(place)
        self.notes.append(note or {})

    def label(self) -> Detections:
        """Fields that no thing has are left out; tracks and texts need all things to have one."""
        if not self.boxes:
            return Detections.empty()
        boxes = np.asarray(self.boxes, np.float64)
        boxes[~(np.abs(boxes) <= LARGEST)] = np.nan
        scores = None if all(score is None for score in self.scores) else [1.0 if score is None else score for score in self.scores]
        return Detections(
            boxes.astype(np.float32), scores, np.asarray(self.classes, np.int64), None,  # type: ignore[arg-type]
            None if None in self.tracks else np.asarray(self.tracks, np.int64),
            None if None in self.texts else tuple(text or "" for text in self.texts),
            np.asarray(self.crowd, bool) if any(self.crowd) else None,
            tuple(self.outlines) if any(outline is not None for outline in self.outlines) else None,
        )  # fmt: skip

    def extra(self) -> dict[str, Any]:
        """For `Sample.extra`: ``places``, and ``things`` where the source says more of any of them."""
        values: dict[str, Any] = {"places": self.places}
        if any(self.notes):
            values["things"] = self.notes
        return values


def split_word(word: str) -> str | None:
    """The split that a folder's name means: ``train``, ``val2017`` and ``valid`` do."""
    return SPLITS.get(re.sub(r"[\d_\-. ]+$", "", word.casefold()))


def split_in(stem: str) -> str | None:
    """The split that a file's name holds: ``instances_val2017`` does."""
    return next((SPLITS[word] for word in re.split(r"[^a-z]+", stem.casefold()) if word in SPLITS), None)

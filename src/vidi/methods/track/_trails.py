"""Drawing tracks: things with their numbers, where they came from, lines and zones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from vidi.labels import Detections
from vidi.labels._draw import class_color

GROUND = (255, 255, 255)


class Trails:
    """Draws frame after frame.

    Args:
        names: of the classes.
        frames: how many frames a trail reaches back.
        shapes: what is counted: name → points (x, y) of a line (two) or a zone (three or more), drawn in white.
    """

    def __init__(self, names: Sequence[str], frames: int, shapes: dict[str, Sequence[tuple[float, float]]] | None = None):
        self.names, self.frames, self.shapes = names, max(1, frames), shapes or {}
        self._seen: dict[int, deque[tuple[int, float, float]]] = {}
        self._now = 0

    def draw(self, pixels: np.ndarray, label: Detections, words: Sequence[str] = ()) -> np.ndarray:
        """The frame (H, W, 3) uint8 with its things, their trails, and lines of text in the corner."""
        from PIL import Image, ImageDraw

        self._remember(label)
        image = Image.fromarray(pixels)
        pen: Any = ImageDraw.Draw(image)
        wide = max(1, min(image.size) // 240)
        for points in self.shapes.values():
            ring = [tuple(point) for point in points] + ([tuple(points[0])] if len(points) > 2 else [])
            pen.line(ring, GROUND, wide + 1)
        for track, trail in self._seen.items():
            if len(trail) > 1:
                pen.line([(x, y) for _, x, y in trail], class_color(track), wide, joint="curve")
        drawn = label.draw(np.asarray(image), self.names)
        return _written(drawn, words) if words else drawn

    def _remember(self, label: Detections) -> None:
        self._now += 1
        tracks = label.tracks if label.tracks is not None else np.zeros(0, np.int64)
        for track, (x1, _, x2, y2) in zip(tracks.tolist(), label.boxes.tolist()):
            self._seen.setdefault(track, deque()).append((self._now, (x1 + x2) / 2, y2))
        for track in list(self._seen):
            trail = self._seen[track]
            while trail and trail[0][0] <= self._now - self.frames:
                trail.popleft()
            if not trail:
                del self._seen[track]


def _written(picture: np.ndarray, words: Sequence[str]) -> np.ndarray:
    from PIL import Image, ImageDraw

    from vidi.labels._draw import font_for

    image = Image.fromarray(picture)
    pen, font = ImageDraw.Draw(image), font_for(image)
    y = 2
    for line in words:
        left, top, right, bottom = pen.textbbox((4, y), line, font=font)
        pen.rectangle((left - 3, top - 2, right + 3, bottom + 2), fill=(20, 20, 20))
        pen.text((4, y), line, fill=GROUND, font=font)
        y = int(bottom) + 4
    return np.asarray(image)

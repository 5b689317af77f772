"""A class for every pixel."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from vidi.labels import _stitch
from vidi.labels._draw import canvas, class_color, font_for, legend, name_of
from vidi.labels._packed import PackedMap
from vidi.labels.base import Label, class_aim, normalized
from vidi.ops.runs import runs
from vidi.ops.sampling import bend_nearest, warp_linear, warp_nearest

GROUND = "background"
"""A class of this name is not colored where pixels are drawn."""


class Segmentation(Label):
    """The class of each pixel and, in predictions, optionally the probability of every class.

    Args:
        classes: (H, W) int32, or the same compressed (see `packed`).
        probabilities: (C, H, W) float32 in 0..1, or None; a pixel whose probabilities are all 0 is not known.
        ignore: the value in `classes` that means "not known".

    Raises:
        ValueError: a field's shape does not fit.
    """

    __slots__ = ("_map", "ignore", "probabilities")
    placed = True

    def __init__(self, classes: np.ndarray | PackedMap, probabilities: np.ndarray | None = None, ignore: int = 255):
        if not isinstance(classes, PackedMap):
            classes = np.asarray(classes, dtype=np.int32)
            if classes.ndim != 2:
                raise ValueError(f"classes: expected shape (H, W), got {classes.shape}")
        self._map, self.probabilities, self.ignore = classes, None, ignore
        if probabilities is not None:
            values = np.asarray(probabilities, dtype=np.float32)
            if values.ndim != 3 or values.shape[1:] != self.shape:
                raise ValueError(f"probabilities: expected shape (C, {self.shape[0]}, {self.shape[1]}), got {values.shape}")
            self.probabilities = values

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self._map.shape[0], self._map.shape[1]

    @property
    def classes(self) -> np.ndarray:
        """(H, W) int32; unpacked at every access where the map is held compressed."""
        return self._map.values() if isinstance(self._map, PackedMap) else self._map

    def packed(self) -> Segmentation:
        """The same with the map held compressed, some fifty times smaller as a rule."""
        return self if isinstance(self._map, PackedMap) else Segmentation(PackedMap.of(self._map), self.probabilities, self.ignore)

    def compact(self) -> Segmentation:
        """Packed, without probabilities."""
        return Segmentation(self._map, None, self.ignore).packed()

    @classmethod
    def from_probabilities(cls, probabilities: np.ndarray, ignore: int = 255) -> Segmentation:
        """Each pixel gets its most probable class; pixels without any probability get `ignore`."""
        values = np.asarray(probabilities, np.float32)
        if len(values) == 0:
            return cls(np.full(values.shape[1:], ignore), values, ignore)
        return cls(np.where(values.sum(0) > 0, values.argmax(0), ignore), values, ignore)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Segmentation:
        """Classes are sampled by nearest pixel; probabilities, where there are any, linearly, and the classes follow from them. Pixels
        from outside the picture are not known."""
        if self.probabilities is None:
            return Segmentation(warp_nearest(self.classes, matrix, size, self.ignore), None, self.ignore)
        return Segmentation.from_probabilities(warp_linear(self.probabilities, matrix, size), self.ignore)

    def bent(self, displacement: np.ndarray) -> Segmentation:
        probabilities = None if self.probabilities is None else bend_nearest(self.probabilities, displacement, 0.0)
        return Segmentation(bend_nearest(self.classes, displacement, self.ignore), probabilities, self.ignore)

    def agreement(self, other: Segmentation) -> float:
        """Mean IoU over the classes present in either, on the pixels known in both (1.0 when there is none)."""
        if self.shape != other.shape:
            raise ValueError(f"agreement: expected a map of {self.shape}, got {other.shape}")
        mine, theirs = self.classes, other.classes
        known = (mine != self.ignore) & (theirs != other.ignore)
        a, b = mine[known], theirs[known]
        if a.size == 0:
            return 1.0
        low = min(a.min(), b.min())
        a, b = a - low, b - low
        count = int(max(a.max(), b.max())) + 1
        shared = np.bincount(a[a == b], minlength=count)
        union = np.bincount(a, minlength=count) + np.bincount(b, minlength=count) - shared
        return float((shared[union > 0] / union[union > 0]).mean())

    @classmethod
    def aims(cls, names: Sequence[str] = ()) -> tuple[str, ...]:
        return ("mislabel", "class=K")

    def aimed(self, aim: str, names: Sequence[str] = ()) -> tuple[Segmentation, bool]:
        """``mislabel``: each pixel is taken for the next class; ``class=K``: all pixels for class K. What is not known stays so."""
        mine = self.classes
        wanted = (mine + 1) % max(1, len(names)) if aim == "mislabel" else np.full_like(mine, class_aim(self, aim, names))
        return Segmentation(np.where(mine == self.ignore, self.ignore, wanted), None, self.ignore), True

    @classmethod
    def merge(cls, labels: Sequence[Segmentation], weights: Sequence[float] | None = None) -> Segmentation:
        """Mean probabilities where every label has them, otherwise a weighted vote (ties go to the lower class).

        A label has no say in pixels it does not know; a pixel nobody knows stays unknown.
        """
        if not labels:
            raise ValueError("merge needs at least one label")
        shapes = {label.shape for label in labels}
        if len(shapes) > 1:
            raise ValueError(f"merge: expected maps of one size, got {sorted(shapes)}")
        share, ignore = normalized(weights, len(labels)), labels[0].ignore
        chances = [label.probabilities for label in labels if label.probabilities is not None]
        if len(chances) == len(labels):
            total = sum(part * values.astype(np.float64) for part, values in zip(share, chances))
            known = sum(part * (values.sum(0) > 0) for part, values in zip(share, chances))
            return cls.from_probabilities(np.divide(total, known, out=np.zeros_like(total), where=known > 0), ignore)
        best, winner = np.zeros(labels[0].shape), np.full(labels[0].shape, ignore, np.int32)
        maps = [label.classes for label in labels]
        present = sorted({int(c) for label, values in zip(labels, maps) for c in np.unique(values) if c != label.ignore})
        for index in present:
            votes = sum(part * ((values == index) & (index != label.ignore)) for part, label, values in zip(share, labels, maps))
            ahead = votes > best + 1e-12
            best, winner = np.where(ahead, votes, best), np.where(ahead, index, winner)
        return cls(winner, None, ignore)

    def to_dict(self) -> dict[str, Any]:
        """The map as runs, row by row; probabilities as base64 of little-endian float32."""
        values, lengths = runs(self.classes.ravel())
        probabilities = None
        if self.probabilities is not None:
            data = base64.b64encode(np.ascontiguousarray(self.probabilities, "<f4").tobytes()).decode()
            probabilities = {"shape": list(self.probabilities.shape), "float32": data}
        return {
            "family": self.family,
            "size": list(self.shape),
            "values": values.tolist(),
            "lengths": lengths.tolist(),
            "probabilities": probabilities,
            "ignore": self.ignore,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Segmentation:
        classes = np.repeat(np.asarray(values["values"], np.int32), np.asarray(values["lengths"], np.int64)).reshape(
            values["size"]
        )
        probabilities = values.get("probabilities")
        if probabilities is not None:
            data = base64.b64decode(probabilities["float32"], validate=True)
            probabilities = np.frombuffer(data, "<f4").astype(np.float32).reshape(probabilities["shape"])
        return cls(classes, probabilities, int(values["ignore"]))

    def state(self) -> bytes:
        chances = b"" if self.probabilities is None else self.probabilities.tobytes()
        return f"{self.shape} {self.ignore} ".encode() + self.classes.tobytes() + chances

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        from PIL import ImageDraw

        if image.shape[:2] != self.shape:
            raise ValueError(f"draw: expected a picture of {self.shape}, got {image.shape[:2]}")
        shaded, classes = image.copy(), self.classes
        shares = self._shares()
        for index, _ in shares:
            if name_of(index, names) == GROUND:
                continue
            spot = classes == index
            shaded[spot] = (0.45 * shaded[spot] + 0.55 * np.array(class_color(index))).astype(np.uint8)
        picture, _ = canvas(shaded)
        entries = [(class_color(index), f"{name_of(index, names)} {share:.0%}") for index, share in shares[:5]]
        legend(ImageDraw.Draw(picture), entries, font_for(picture))
        return np.asarray(picture)

    def _shares(self) -> list[tuple[int, float]]:
        """Each known class with its share of the picture, largest first."""
        classes = self.classes
        present, counts = np.unique(classes[classes != self.ignore], return_counts=True)
        return [(int(present[i]), float(counts[i] / classes.size)) for i in np.argsort(-counts, kind="stable")]

    def words(self, names: Sequence[str] = ()) -> str:
        return ", ".join(f"{name_of(index, names)} {share:.0%}" for index, share in self._shares()[:5]) or "none"

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for rank, (index, share) in enumerate(self._shares()[:top], 1):
            columns |= {f"class{rank}": name_of(index, names), f"share{rank}": round(share, 6)}
        return columns

    def pasted(self, other: Segmentation, covered: np.ndarray) -> Segmentation:
        """Pixel by pixel; without probabilities."""
        theirs = other.classes
        theirs = np.where(theirs == other.ignore, self.ignore, theirs)
        return Segmentation(np.where(covered, theirs, self.classes), None, self.ignore)

    def tidied(self, least: int) -> Segmentation:
        """Small parts take the class around them (`vidi.ops.components.remove_small`); without probabilities."""
        from vidi.ops.components import remove_small

        return Segmentation(remove_small(self.classes, least, ignore=self.ignore), None, self.ignore).packed()

    def presence(self, count: int) -> np.ndarray:
        classes = self.classes
        present = np.unique(classes[(classes != self.ignore) & (classes >= 0) & (classes < count)])
        return np.isin(np.arange(count), present)

    @classmethod
    def stitch(cls, labels: Sequence[Segmentation], windows: np.ndarray, size: tuple[int, int]) -> Segmentation:
        """Probabilities, or votes, weighted by a Gaussian bump over each window."""
        return _stitch.segmentation(labels, windows, size)

    def reindexed(self, places: np.ndarray, count: int) -> Segmentation:
        places, mine = np.asarray(places, np.int32), self.classes
        known = mine != self.ignore
        classes = np.where(known, places[np.where(known, mine, 0)] if len(places) else self.ignore, self.ignore)
        if self.probabilities is None:
            return Segmentation(classes, None, self.ignore) if not isinstance(self._map, PackedMap) else Segmentation(PackedMap.of(classes), None, self.ignore)
        probabilities = np.zeros((count, *self.shape), np.float32)
        probabilities[places] = self.probabilities
        return Segmentation(classes, probabilities, self.ignore)

"""A class for every pixel."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.labels import _stitch
from vidi.labels._draw import canvas, class_color, font_for, legend, name_of
from vidi.labels.base import Label, normalized
from vidi.ops.runs import runs
from vidi.ops.sampling import warp_nearest


@dataclass(frozen=True, eq=False, slots=True)
class Segmentation(Label):
    """The class of each pixel and, in predictions, optionally the probability of every class.

    Args:
        classes: (H, W) int32.
        probabilities: (C, H, W) float32 in 0..1, or None; a pixel whose probabilities are all 0 is not known.
        ignore: the value in `classes` that means "not known".

    Raises:
        ValueError: a field's shape does not fit.
    """

    classes: np.ndarray
    probabilities: np.ndarray | None = None
    ignore: int = 255

    def __post_init__(self) -> None:
        classes = np.asarray(self.classes, dtype=np.int32)
        if classes.ndim != 2:
            raise ValueError(f"classes: expected shape (H, W), got {classes.shape}")
        object.__setattr__(self, "classes", classes)
        if self.probabilities is not None:
            values = np.asarray(self.probabilities, dtype=np.float32)
            if values.ndim != 3 or values.shape[1:] != classes.shape:
                raise ValueError(
                    f"probabilities: expected shape (C, {classes.shape[0]}, {classes.shape[1]}), got {values.shape}"
                )
            object.__setattr__(self, "probabilities", values)

    @classmethod
    def from_probabilities(cls, probabilities: np.ndarray, ignore: int = 255) -> Segmentation:
        """Each pixel gets its most probable class; pixels without any probability get `ignore`."""
        values = np.asarray(probabilities, np.float32)
        if len(values) == 0:
            return cls(np.full(values.shape[1:], ignore), values, ignore)
        return cls(np.where(values.sum(0) > 0, values.argmax(0), ignore), values, ignore)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Segmentation:
        """Sampled by nearest pixel; pixels from outside the picture are not known."""
        probabilities = None if self.probabilities is None else warp_nearest(self.probabilities, matrix, size, 0.0)
        return Segmentation(warp_nearest(self.classes, matrix, size, self.ignore), probabilities, self.ignore)

    def agreement(self, other: Segmentation) -> float:
        """Mean IoU over the classes present in either, on the pixels known in both (1.0 when there is none)."""
        if self.classes.shape != other.classes.shape:
            raise ValueError(f"agreement: expected a map of {self.classes.shape}, got {other.classes.shape}")
        known = (self.classes != self.ignore) & (other.classes != other.ignore)
        a, b = self.classes[known], other.classes[known]
        present, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
        if len(present) == 0:
            return 1.0
        a, b = codes[: len(a)], codes[len(a) :]
        shared = np.bincount(a[a == b], minlength=len(present))
        union = np.bincount(a, minlength=len(present)) + np.bincount(b, minlength=len(present)) - shared
        return float((shared / union).mean())

    @classmethod
    def merge(cls, labels: Sequence[Segmentation], weights: Sequence[float] | None = None) -> Segmentation:
        """Mean probabilities where every label has them, otherwise a weighted vote (ties go to the lower class).

        A label has no say in pixels it does not know; a pixel nobody knows stays unknown.
        """
        if not labels:
            raise ValueError("merge needs at least one label")
        shapes = {label.classes.shape for label in labels}
        if len(shapes) > 1:
            raise ValueError(f"merge: expected maps of one size, got {sorted(shapes)}")
        share, ignore = normalized(weights, len(labels)), labels[0].ignore
        chances = [label.probabilities for label in labels if label.probabilities is not None]
        if len(chances) == len(labels):
            total = sum(part * values.astype(np.float64) for part, values in zip(share, chances))
            known = sum(part * (values.sum(0) > 0) for part, values in zip(share, chances))
            return cls.from_probabilities(np.divide(total, known, out=np.zeros_like(total), where=known > 0), ignore)
        best, winner = np.zeros(labels[0].classes.shape), np.full(labels[0].classes.shape, ignore, np.int32)
        present = sorted({int(c) for label in labels for c in np.unique(label.classes) if c != label.ignore})
        for index in present:
            votes = sum(part * ((label.classes == index) & (index != label.ignore)) for part, label in zip(share, labels))
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
            "size": list(self.classes.shape),
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

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        from PIL import ImageDraw

        if image.shape[:2] != self.classes.shape:
            raise ValueError(f"draw: expected a picture of {self.classes.shape}, got {image.shape[:2]}")
        shaded = image.copy()
        shares = self._shares()
        for index, _ in shares:
            spot = self.classes == index
            shaded[spot] = (0.45 * shaded[spot] + 0.55 * np.array(class_color(index))).astype(np.uint8)
        picture, _ = canvas(shaded)
        entries = [(class_color(index), f"{name_of(index, names)} {share:.0%}") for index, share in shares[:5]]
        legend(ImageDraw.Draw(picture), entries, font_for(picture))
        return np.asarray(picture)

    def _shares(self) -> list[tuple[int, float]]:
        """Each known class with its share of the picture, largest first."""
        present, counts = np.unique(self.classes[self.classes != self.ignore], return_counts=True)
        return [(int(present[i]), float(counts[i] / self.classes.size)) for i in np.argsort(-counts, kind="stable")]

    def words(self, names: Sequence[str] = ()) -> str:
        return ", ".join(f"{name_of(index, names)} {share:.0%}" for index, share in self._shares()[:5]) or "none"

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for rank, (index, share) in enumerate(self._shares()[:top], 1):
            columns |= {f"class{rank}": name_of(index, names), f"share{rank}": round(share, 6)}
        return columns

    def pasted(self, other: Segmentation, covered: np.ndarray) -> Segmentation:
        """Pixel by pixel; without probabilities."""
        theirs = np.where(other.classes == other.ignore, self.ignore, other.classes)
        return Segmentation(np.where(covered, theirs, self.classes), None, self.ignore)

    def presence(self, count: int) -> np.ndarray:
        present = np.unique(self.classes[(self.classes != self.ignore) & (self.classes >= 0) & (self.classes < count)])
        return np.isin(np.arange(count), present)

    @classmethod
    def stitch(cls, labels: Sequence[Segmentation], windows: np.ndarray, size: tuple[int, int]) -> Segmentation:
        """Probabilities, or votes, weighted by a Gaussian bump over each window."""
        return _stitch.segmentation(labels, windows, size)

    def reindexed(self, places: np.ndarray, count: int) -> Segmentation:
        places, known = np.asarray(places, np.int32), self.classes != self.ignore
        classes = np.where(known, places[np.where(known, self.classes, 0)] if len(places) else self.ignore, self.ignore)
        if self.probabilities is None:
            return Segmentation(classes, None, self.ignore)
        probabilities = np.zeros((count, *self.classes.shape), np.float32)
        probabilities[places] = self.probabilities
        return Segmentation(classes, probabilities, self.ignore)

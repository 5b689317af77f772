"""What a thing's outline is in the form its source has it: polygons, or run lengths of pixels. Conversions lose nothing of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.ops.cutouts import Cutout, cut_out, from_counts, moved, to_counts, united
from vidi.ops.polygons import clip_ring, covered_area, crosses_itself, cut_ring, warp_ring
from vidi.ops.trace import rings_of


class Outline(ABC):
    """The outline of one thing; see `Polygons` and `Runs`."""

    @abstractmethod
    def cutout(self, size: tuple[int, int]) -> Cutout:
        """Its pixels in a picture of (height, width), without the empty picture around them."""

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """Its pixels in a picture of (height, width): (H, W) bool."""
        return self.cutout(size).mask(size)

    @abstractmethod
    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Outline:
        """The outline after a 3×3 matrix (old x, y → new x, y), cut to a canvas of (height, width)."""

    @abstractmethod
    def area(self) -> float:
        """In square pixels."""

    @abstractmethod
    def box(self) -> np.ndarray:
        """The upright box around it, (4,) float64, x1, y1, x2, y2 in pixels; zeros when it is empty."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Outline:
        """The exact inverse of `to_dict`."""
        if "polygons" in values:
            return Polygons(tuple(np.asarray(ring, np.float64).reshape(-1, 2) for ring in values["polygons"]))
        return Runs(tuple(values["size"]), np.asarray(values["counts"], np.int64))

    @staticmethod
    def of(mask: np.ndarray) -> Runs:
        """The run lengths of a mask (H, W)."""
        return Runs.of_cutout(cut_out(mask), (mask.shape[0], mask.shape[1]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outline) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False, slots=True)
class Polygons(Outline):
    """Closed rings. A pixel belongs to the thing when its center lies inside of at least one of them; inside of a ring is what the
    even-odd rule calls so, hence a bow-tie covers its two triangles, and a part that a ring runs around twice is a hole.

    Args:
        rings: arrays (K, 2) float64 of x and y in pixels, the last point joined to the first.

    Raises:
        ValueError: a ring of another shape, or with a coordinate that is not finite.
    """

    rings: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        rings = tuple(np.asarray(ring, np.float64) for ring in self.rings)
        for ring in rings:
            if ring.ndim != 2 or ring.shape[1] != 2:
                raise ValueError(f"ring: expected shape (K, 2), got {ring.shape}")
            if not np.isfinite(ring).all():
                raise ValueError("ring: a coordinate is not finite")
        object.__setattr__(self, "rings", rings)

    def cutout(self, size: tuple[int, int]) -> Cutout:
        """Pixel for pixel as COCO's reference program fills polygons."""
        return united([cut_ring(ring, size) for ring in self.rings])

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Polygons:
        moved = (clip_ring(warp_ring(ring, matrix), size) for ring in self.rings)
        return Polygons(tuple(ring for ring in moved if len(ring) >= 3))

    def area(self) -> float:
        """Of the polygons themselves, not of the pixels; parts that several rings cover count once."""
        return covered_area(self.rings)

    def box(self) -> np.ndarray:
        points = np.concatenate(self.rings) if self.rings else np.zeros((0, 2))
        return np.concatenate([points.min(0), points.max(0)]) if len(points) else np.zeros(4)

    def crossed(self) -> bool:
        """Whether a ring crosses itself."""
        return any(crosses_itself(ring) for ring in self.rings)

    def to_dict(self) -> dict[str, Any]:
        """As in COCO: ``{"polygons": [[x, y, x, y, …], …]}``."""
        return {"polygons": [ring.ravel().tolist() for ring in self.rings]}


@dataclass(frozen=True, eq=False, slots=True)
class Runs(Outline):
    """Run lengths of a mask, column by column from the left, top to bottom, zeros first.

    Args:
        size: (height, width) of the picture.
        counts: (R,) int64.

    Raises:
        ValueError: the runs do not fill the picture exactly, or one is negative.
    """

    size: tuple[int, int]
    counts: np.ndarray

    def __post_init__(self) -> None:
        height, width = (int(side) for side in self.size)
        counts = np.asarray(self.counts, np.int64).reshape(-1)
        if height < 0 or width < 0 or (counts < 0).any() or (counts > height * width).any() or counts.sum() != height * width:
            raise ValueError(f"run lengths: expected a sum of {height * width}, got {counts.sum()}")
        object.__setattr__(self, "size", (height, width))
        object.__setattr__(self, "counts", counts)

    @staticmethod
    def of_cutout(cut: Cutout, size: tuple[int, int]) -> Runs:
        """The run lengths of a cut-out of a picture of (height, width)."""
        return Runs(size, to_counts(cut, size))

    def cutout(self, size: tuple[int, int]) -> Cutout:
        """
        Raises:
            ValueError: the runs are those of a picture of another size.
        """
        if tuple(size) != self.size:
            raise ValueError(f"run lengths of a picture of {self.size[0]}×{self.size[1]}, not {size[0]}×{size[1]}")
        return from_counts(self.counts, self.size)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Runs:
        """As masks are moved (`vidi.ops.sampling.warp_masks`), in the time that the thing takes, not the picture."""
        if tuple(size) == self.size and np.array_equal(np.asarray(matrix, np.float64), np.eye(3)):
            return self
        return Runs.of_cutout(moved(self.cutout(self.size), self.size, matrix, size), (size[0], size[1]))

    def area(self) -> float:
        """The number of pixels."""
        return float(self.counts[1::2].sum())

    def box(self) -> np.ndarray:
        height = self.size[0]
        ends = np.cumsum(self.counts)
        held = self.counts[1::2] > 0
        first, last = (ends[1::2] - self.counts[1::2])[held], ends[1::2][held] - 1
        if len(first) == 0:
            return np.zeros(4)
        within = first // height == last // height
        top = np.where(within, first % height, 0).min()
        bottom = np.where(within, last % height, height - 1).max()
        return np.array([(first // height).min(), top, (last // height).max() + 1, bottom + 1], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """As in COCO: ``{"size": [H, W], "counts": […]}``."""
        return {"size": list(self.size), "counts": self.counts.tolist()}


def polygons_of(mask: np.ndarray, tolerance: float = 0.0) -> Polygons:
    """The polygons around a mask (H, W) bool: one ring for each part whose pixels share sides, holes left out by the even-odd rule.

    Args:
        mask: of one thing.
        tolerance: pixels by which a ring may be simplified (Douglas and Peucker 1973). 0: filled, the polygons give the mask exactly. Of
            blobs of 100 pixels and more, 0.71, which takes the steps out of slanting edges, leaves 40 % of the points and a mean IoU
            of 0.99 with the mask, 1 leaves 13 % and 0.98.
    """
    cut = cut_out(mask)
    return Polygons(tuple(ring + [cut.x, cut.y] for ring in rings_of(cut.bits, tolerance)))


def joined(parts: Sequence[tuple[int, Sequence[Outline | None] | None]]) -> tuple[Outline | None, ...] | None:
    """The outlines of several labels, given as (number of things, outlines or None); None when none of them has any."""
    if all(outlines is None for _, outlines in parts):
        return None
    return tuple(outline for count, outlines in parts for outline in (outlines if outlines is not None else [None] * count))

"""A picture as a point in a space where near means alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.labels.base import Label, caption, normalized, to_array, to_list


@dataclass(frozen=True, eq=False, slots=True)
class Embedding(Label):
    """A vector (D,) float32, compared by angle."""

    vector: np.ndarray

    def __post_init__(self) -> None:
        values = np.asarray(self.vector, dtype=np.float32)
        if values.ndim != 1:
            raise ValueError(f"vector: expected shape (D,), got {values.shape}")
        object.__setattr__(self, "vector", values)

    @staticmethod
    def stack(labels: Sequence[Embedding]) -> np.ndarray:
        """Vectors of several labels, (N, D) float32."""
        return np.stack([label.vector for label in labels]) if len(labels) else np.zeros((0, 0), np.float32)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Embedding:
        return self

    def agreement(self, other: Embedding) -> float:
        """(1 + cosine) / 2; equal vectors agree even if they are zero, a zero vector agrees by half with any other."""
        if np.array_equal(self.vector, other.vector):
            return 1.0
        a, b = self.vector.astype(np.float64), other.vector.astype(np.float64)
        length = np.linalg.norm(a) * np.linalg.norm(b)
        cosine = float(a @ b / length) if length > 0 else 0.0
        return (1 + min(1.0, max(-1.0, cosine))) / 2

    def contradicts(self, other: Embedding, leeway: np.ndarray | None = None) -> bool:
        """An angle of more than 60 degrees."""
        return self.agreement(other) < 0.75

    @classmethod
    def merge(cls, labels: Sequence[Embedding], weights: Sequence[float] | None = None) -> Embedding:
        """Weighted mean."""
        if not labels:
            raise ValueError("merge needs at least one label")
        stacked = cls.stack(labels).astype(np.float64)
        return cls((stacked * normalized(weights, len(labels))[:, None]).sum(0).astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, "vector": to_list(self.vector)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Embedding:
        array = to_array(values["vector"])
        return cls(array if array is not None else np.zeros(0, np.float32))

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        """Its length in words and its first values as a strip at the bottom: blue below zero, red above."""
        drawn = caption(image, [self.words()]).copy()
        shown = self.vector[: min(len(self.vector), drawn.shape[1], 128)]
        if len(shown):
            scale = float(np.abs(shown).max()) or 1.0
            strength = (np.abs(shown) / scale)[:, None]
            ends = np.where((shown < 0)[:, None], [[40, 90, 200]], [[210, 50, 40]])
            colors = (245 * (1 - strength) + ends * strength).astype(np.uint8)
            columns = np.arange(drawn.shape[1]) * len(shown) // drawn.shape[1]
            drawn[-max(4, drawn.shape[0] // 16) :] = colors[columns]
        return drawn

    def words(self, names: Sequence[str] = ()) -> str:
        return f"{len(self.vector)} values, length {np.linalg.norm(self.vector):.3g}"

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        return {f"value{index}": float(value) for index, value in enumerate(self.vector)}

"""Numbers read off a picture: age, count, defect probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.labels.base import Label, caption, no_aim, normalized, to_array, to_list


@dataclass(frozen=True, eq=False, slots=True)
class Regression(Label):
    """Values (D,) float32 in the user's own units and, in predictions, optionally their standard deviation (D,).

    In ground truth, NaN means "not known".
    """

    values: np.ndarray
    std: np.ndarray | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float32)
        if values.ndim != 1:
            raise ValueError(f"values: expected shape (D,), got {values.shape}")
        object.__setattr__(self, "values", values)
        if self.std is not None:
            std = np.asarray(self.std, dtype=np.float32)
            if std.shape != values.shape:
                raise ValueError(f"std: expected shape {values.shape}, got {std.shape}")
            object.__setattr__(self, "std", std)

    @staticmethod
    def stack(labels: Sequence[Regression]) -> np.ndarray:
        """Values of several labels, (N, D) float32."""
        return np.stack([label.values for label in labels]) if len(labels) else np.zeros((0, 0), np.float32)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Regression:
        return self

    def agreement(self, other: Regression) -> float:
        """Mean over known values of exp(−|difference| / scale); the scale is the larger magnitude (1 at least 1e-6)."""
        gap = np.abs(self.values - other.values)
        known = ~np.isnan(gap)
        if not known.any():
            return 1.0
        scale = np.maximum(np.maximum(np.abs(self.values), np.abs(other.values)), 1e-6)
        return float(np.exp(-gap[known] / scale[known]).mean())

    def contradicts(self, other: Regression, leeway: np.ndarray | None = None) -> bool:
        """Any value known in both that differs by more than `leeway` (D,); without that, by more than a tenth of the larger magnitude."""
        allowed = 0.1 * np.maximum(np.abs(self.values), np.abs(other.values)) if leeway is None else leeway
        return bool((np.abs(self.values - other.values) > allowed).any())

    @classmethod
    def leeway(cls, labels: Sequence[Regression]) -> np.ndarray | None:
        """Half of the standard deviation of each value, (D,) float32."""
        values = cls.stack(labels).astype(np.float64)
        known = ~np.isnan(values)
        count = known.sum(0)
        if not len(values) or not count.all():
            return None
        mean = np.where(known, values, 0).sum(0) / count
        return (0.5 * np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(0) / count)).astype(np.float32)

    @classmethod
    def aims(cls, names: Sequence[str] = ()) -> tuple[str, ...]:
        return ("up", "down")

    def aimed(self, aim: str, names: Sequence[str] = ()) -> tuple[Regression, bool]:
        """Values far above (``up``) or below (``down``) the true ones."""
        if aim not in ("up", "down"):
            raise no_aim(self, aim, names)
        far = 10 * np.maximum(np.abs(self.values), 1)
        return Regression(self.values + (far if aim == "up" else -far)), True

    @classmethod
    def merge(cls, labels: Sequence[Regression], weights: Sequence[float] | None = None) -> Regression:
        """Weighted mean; the std holds the members' own variance and their disagreement (law of total variance)."""
        if not labels:
            raise ValueError("merge needs at least one label")
        weight = normalized(weights, len(labels))[:, None]
        values = cls.stack(labels).astype(np.float64)
        mean = (values * weight).sum(0)
        stds = [label.std for label in labels if label.std is not None]
        if len(stds) < len(labels):
            return cls(mean.astype(np.float32))
        variance = (weight * (np.stack(stds).astype(np.float64) ** 2 + (values - mean) ** 2)).sum(0)
        return cls(mean.astype(np.float32), np.sqrt(variance).astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, "values": to_list(self.values), "std": to_list(self.std)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Regression:
        array = to_array(values["values"])
        return cls(array if array is not None else np.zeros(0, np.float32), to_array(values.get("std")))

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        lines = []
        for i, value in enumerate(self.values):
            name = f"{names[i]} " if i < len(names) else ""
            lines.append(f"{name}{value:.3g}" + (f" ±{self.std[i]:.2g}" if self.std is not None else ""))
        return caption(image, lines)

    def words(self, names: Sequence[str] = ()) -> str:
        stds = self.std if self.std is not None else [None] * len(self.values)
        parts = ["?" if np.isnan(v) else f"{v:.3g}" + ("" if std is None else f" ±{std:.2g}") for v, std in zip(self.values, stds)]
        return ", ".join(f"{name} {part}" for name, part in zip(names, parts)) if len(parts) > 1 else "".join(parts)

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for i, value in enumerate(self.values):
            name = names[i] if i < len(names) else f"value{i}"
            columns[name] = float(value)
            if self.std is not None:
                columns[f"{name}_std"] = float(self.std[i])
        return columns

"""Class probabilities: one class of many, or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.labels.base import Label, caption, class_aim, normalized, to_array, to_list


@dataclass(frozen=True, eq=False, slots=True)
class Classification(Label):
    """Probability per class, (C,) float32 in 0..1. In ground truth, NaN means "not known" for that class.

    For exclusive classes the values sum to one; for multi-label they are independent.
    """

    probabilities: np.ndarray

    def __post_init__(self) -> None:
        values = np.asarray(self.probabilities, dtype=np.float32)
        if values.ndim != 1:
            raise ValueError(f"probabilities: expected shape (C,), got {values.shape}")
        object.__setattr__(self, "probabilities", values)

    @classmethod
    def one_hot(cls, index: int, count: int) -> Classification:
        """Certainty about one class out of `count`."""
        values = np.zeros(count, dtype=np.float32)
        values[index] = 1.0
        return cls(values)

    @property
    def top(self) -> int:
        """Index of the most probable class; −1 when nothing is known."""
        if self.probabilities.size == 0 or np.isnan(self.probabilities).all():
            return -1
        return int(np.nanargmax(self.probabilities))

    @staticmethod
    def stack(labels: Sequence[Classification]) -> np.ndarray:
        """Probabilities of several labels, (N, C) float32."""
        return np.stack([label.probabilities for label in labels]) if len(labels) else np.zeros((0, 0), np.float32)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Classification:
        return self

    def agreement(self, other: Classification) -> float:
        """One minus the mean absolute difference over the classes known in both (1.0 when none is)."""
        gap = np.abs(self.probabilities - other.probabilities)
        known = ~np.isnan(gap)
        if not known.any():
            return 1.0
        exclusive = _sums_to_one(self.probabilities) and _sums_to_one(other.probabilities)
        return float(1 - gap[known].sum() / (2 if exclusive else known.sum()))

    def contradicts(self, other: Classification, leeway: np.ndarray | None = None) -> bool:
        """Another top class, of classes that exclude each other; else any class known in both of which one says yes (0.5 or more) and
        the other no."""
        mine, theirs = self.probabilities, other.probabilities
        if _sums_to_one(mine) and _sums_to_one(theirs):
            return self.top != other.top
        known = ~np.isnan(mine) & ~np.isnan(theirs)
        return bool(((mine >= 0.5) != (theirs >= 0.5))[known].any())

    def decision(self) -> np.ndarray:
        return self.probabilities

    @classmethod
    def aims(cls, names: Sequence[str] = ()) -> tuple[str, ...]:
        return ("next", "class=K")

    def aimed(self, aim: str, names: Sequence[str] = ()) -> tuple[Classification, bool]:
        """``next``: each class is taken for the one after it; ``class=K``: nothing but class K."""
        if aim == "next":
            return Classification(np.roll(self.probabilities, 1)), True
        return Classification.one_hot(class_aim(self, aim, names), len(self.probabilities)), True

    @classmethod
    def merge(cls, labels: Sequence[Classification], weights: Sequence[float] | None = None) -> Classification:
        if not labels:
            raise ValueError("merge needs at least one label")
        stacked = cls.stack(labels).astype(np.float64)
        return cls((stacked * normalized(weights, len(labels))[:, None]).sum(0).astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, "probabilities": to_list(self.probabilities)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Classification:
        array = to_array(values["probabilities"])
        return cls(array if array is not None else np.zeros(0, np.float32))

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        order = [i for i in np.argsort(-np.nan_to_num(self.probabilities, nan=-1.0), kind="stable")[:3]]
        shown = [i for rank, i in enumerate(order) if rank == 0 or self.probabilities[i] >= 0.1]
        return caption(image, [f"{names[i] if i < len(names) else i} {self.probabilities[i]:.2f}" for i in shown])

    def words(self, names: Sequence[str] = ()) -> str:
        known = [(float(p), names[i] if i < len(names) else str(i)) for i, p in enumerate(self.probabilities) if not np.isnan(p)]
        known.sort(key=lambda pair: -pair[0])
        likely = [pair for pair in known if pair[0] >= 0.5] or (known[:1] if known and known[0][0] > 0 else [])
        return ", ".join(name if p == 1 else f"{name} {p:.2f}" for p, name in likely[:3]) or "none"

    def presence(self, count: int) -> np.ndarray:
        """Classes of probability 0.5 or more, and the most probable one where the values sum to one."""
        known = np.nan_to_num(self.probabilities[:count], nan=0.0)
        there = np.zeros(count, bool)
        there[: len(known)] = known >= 0.5
        if abs(float(known.sum()) - 1) < 1e-3:
            there[int(known.argmax())] = True
        return there

    def reindexed(self, places: np.ndarray, count: int) -> Classification:
        values = np.zeros(count, dtype=np.float32)
        values[places] = self.probabilities
        return Classification(values)

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        order = np.argsort(-np.nan_to_num(self.probabilities, nan=-1.0), kind="stable")[:top]
        columns: dict[str, Any] = {}
        for rank, i in enumerate(order, 1):
            columns |= {f"class{rank}": names[i] if i < len(names) else int(i), f"probability{rank}": round(float(self.probabilities[i]), 6)}
        return columns


def _sums_to_one(probabilities: np.ndarray) -> bool:
    return abs(float(np.nansum(probabilities)) - 1) < 1e-3

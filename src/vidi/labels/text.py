"""A string that was read or written about a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidi.labels.base import Label, caption, normalized
from vidi.ops.edit_distance import similarity


@dataclass(frozen=True, eq=False, slots=True)
class Text(Label):
    """A string in Unicode normal form C, and how sure one is of it (0..1)."""

    text: str
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ValueError(f"text: expected a string, got {type(self.text).__name__}")
        object.__setattr__(self, "text", unicodedata.normalize("NFC", self.text))
        object.__setattr__(self, "confidence", float(self.confidence))

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Text:
        return self

    def agreement(self, other: Text) -> float:
        """One minus the edit distance in characters over the longer length; two empty strings agree."""
        return similarity(self.text, other.text)

    def contradicts(self, other: Text, leeway: np.ndarray | None = None) -> bool:
        """Any other string."""
        return self.text != other.text

    @classmethod
    def merge(cls, labels: Sequence[Text], weights: Sequence[float] | None = None) -> Text:
        """The string with the most votes, each weighing its weight times its confidence; the earlier one of equals."""
        if not labels:
            raise ValueError("merge needs at least one label")
        votes: dict[str, float] = {}
        for label, share in zip(labels, normalized(weights, len(labels))):
            votes[label.text] = votes.get(label.text, 0.0) + float(share) * label.confidence
        winner = max(votes, key=votes.__getitem__)
        return cls(winner, min(1.0, votes[winner]))

    def to_dict(self) -> dict[str, Any]:
        return {"family": self.family, "text": self.text, "confidence": self.confidence}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Text:
        return cls(values["text"], values["confidence"])

    def draw(self, image: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
        return caption(image, self.words().splitlines() or ['""'])

    def words(self, names: Sequence[str] = ()) -> str:
        return self.text if self.confidence == 1 else f"{self.text} {self.confidence:.2f}"

    def record(self, names: Sequence[str] = (), top: int = 5) -> dict[str, Any]:
        return {"text": self.text, "confidence": round(self.confidence, 6)}

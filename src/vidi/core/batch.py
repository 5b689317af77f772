"""Frames and batches: what the engine feeds a net."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from vidi.errors import InputError
from vidi.labels import Label


def check_batch(batch: int) -> None:
    """
    Raises:
        InputError: not a number of pictures per step.
    """
    if batch < 1:
        raise InputError("at least one picture per step", at="batch", value=batch)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a tensor's pixels came from.

    Args:
        id: the sample's id.
        size: (height, width) of the decoded original.
        matrix: (3, 3) float64, original x, y → tensor x, y.
    """

    id: str
    size: tuple[int, int]
    matrix: np.ndarray

    def home(self, label: Label) -> Label:
        """The label, given in tensor pixels, brought back to the original picture."""
        return label.warp(np.linalg.inv(self.matrix), self.size)


@dataclass(slots=True)
class Batch:
    """Stacked inputs with their labels.

    Args:
        inputs: by name; ``image`` is (B, 3, H, W) float in 0..1.
        labels: one per sample, None where there is none.
        frames: one per sample.
        indices: (B,) int64, the samples' places in their data set.
    """

    inputs: dict[str, Tensor]
    labels: list[Label | None]
    frames: list[Frame]
    indices: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.labels)

"""A random part of the picture that overlaps some thing by a given measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw
from vidi.labels import Label
from vidi.ops.boxes import iou_matrix

TRIALS = 40


@dataclass(frozen=True)
class IouCrop(Augmentation):
    """A random part of the picture, stretched to the net's size, that overlaps some thing by a random measure (SSD's sampler, Liu et
    al. 2016, arXiv:1512.02325).

    A measure is drawn from `ious`, then up to 40 parts, and the first is taken that has an IoU of that much with some box and holds
    the center of some box. If none has, the whole picture is shown. Without a thing, the first part is taken.

    Args:
        p: chance per sample, 0..1; otherwise the whole picture is shown. 6/7 with the default `ious` is SSD's.
        ious: measures to choose from, each 0..1; 0 asks for the center of a box alone.
        low: smallest side of the part, as a share of the picture's, 0.05..1.
        high: largest side, 0.05..1.
        stretch: largest factor between the part's width and height, in shares of the picture's, 1..4.
    """

    families: ClassVar[tuple[str, ...]] = ("Detections",)

    p: float = setting(0.86, 0, 1)
    ious: tuple[float, ...] = setting((0.0, 0.1, 0.3, 0.5, 0.7, 0.9), 0, 1)
    low: float = setting(0.3, 0.05, 1)
    high: float = setting(1.0, 0.05, 1)
    stretch: float = setting(2.0, 1, 4)

    def window_for(
        self, draw: Draw, size: tuple[int, int], target: tuple[int, int], labels: Sequence[Label | None]
    ) -> Tensor:
        ious = self.ious or (0.0,)
        measure = torch.tensor(ious)[draw.integers(len(ious))].numpy()
        parts = self._parts(draw, size)
        chosen = np.stack([_first(*one) for one in zip(parts, labels, measure, [size] * len(parts))]) if len(parts) else parts[:, 0]
        x, y, right, bottom = torch.from_numpy(chosen).float().unbind(1)
        a, d = target[1] / (right - x), target[0] / (bottom - y)
        return affine(a=a, d=d, x=-x * a, y=-y * d)

    def _parts(self, draw: Draw, size: tuple[int, int]) -> np.ndarray:
        """(B, TRIALS, 4) x1, y1, x2, y2: each side uniform from `low` to `high`; one that is too long for the other is cut."""
        wide, tall = draw.uniform(self.low, self.high, TRIALS), draw.uniform(self.low, self.high, TRIALS)
        wide, tall = torch.minimum(wide, tall * self.stretch), torch.minimum(tall, wide * self.stretch)
        left, top = draw.uniform(0, 1, TRIALS) * (1 - wide), draw.uniform(0, 1, TRIALS) * (1 - tall)
        parts = torch.stack([left, top, left + wide, top + tall], -1)
        return parts.double().numpy() * [size[1], size[0], size[1], size[0]]


def _first(parts: np.ndarray, label: Label | None, least: float, size: tuple[int, int]) -> np.ndarray:
    """The first part that a label's things allow, or the whole picture."""
    boxes = getattr(label, "boxes", np.zeros((0, 4)))
    crowd = getattr(label, "crowd", None)
    boxes = boxes if crowd is None else boxes[~crowd]
    if not len(boxes):
        return parts[0]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside: np.ndarray = (middle > parts[:, None, :2]) & (middle < parts[:, None, 2:])  # (T, N, 2)
    fits = np.flatnonzero(np.any(inside.all(2), axis=1) & (iou_matrix(parts, boxes).max(1) >= least))
    return parts[fits[0]] if len(fits) else np.array([0.0, 0.0, size[1], size[0]])

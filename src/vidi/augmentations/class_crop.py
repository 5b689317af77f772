"""A random part of the picture that shows a class, rare ones more often than their size would have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.seeds import Draw
from vidi.labels import Detections, Label, Segmentation


@dataclass(frozen=True)
class ClassCrop(Augmentation):
    """A random part of the picture, in the shape of the net's input, around a pixel (or thing) of a class that is drawn first.

    A class of the picture is drawn with a chance proportional to its share of the pixels (of the things) to the power of 1 − `rarity`, then
    one of its pixels (things), and the part is laid so that it holds it, at a random place. Pictures without a known pixel or a thing give
    any part.

    Args:
        p: chance per sample, 0..1; otherwise the whole picture is shown.
        rarity: 0 draws any pixel alike, 1 every class of the picture alike, 2 the rarer the more often, 0..2.
        low: smallest part, as a share of the largest one in the input's shape that fits the picture, 0.05..1.
        high: largest part, 0.05..1.
    """

    families: ClassVar[tuple[str, ...]] = ("Segmentation", "Detections")

    rarity: float = setting(1.0, 0, 2)
    low: float = setting(0.5, 0.05, 1)
    high: float = setting(1.0, 0.05, 1)

    def window_for(
        self, draw: Draw, size: tuple[int, int], target: tuple[int, int], labels: Sequence[Label | None]
    ) -> Tensor:
        whole = min(size[0] / target[0], size[1] / target[1])
        scale = draw.uniform(self.low, self.high).double().numpy() * whole
        kinds, members = draw.uniform().double().numpy(), draw.uniform().double().numpy()
        places = draw.uniform(0, 1, 2).double().numpy()
        corners = []
        for label, factor, kind, member, place in zip(labels, scale, kinds, members, places):
            part, room = np.array([target[1], target[0]]) * factor, np.array([size[1], size[0]], np.float64)
            spot = self._spot(label, kind, member)
            corner = place * (room - part) if spot is None else (spot - place * part).clip(0, np.maximum(room - part, 0))
            corners.append([*corner, factor])
        x, y, factor = torch.tensor(np.array(corners).reshape(-1, 3), dtype=torch.float32).unbind(1)
        return affine(a=1 / factor, d=1 / factor, x=-x / factor, y=-y / factor)

    def _spot(self, label: Label | None, kind: float, member: float) -> np.ndarray | None:
        """x and y in pixels of what the part has to hold, from two numbers in 0..1."""
        if isinstance(label, Segmentation):
            classes = label.classes
            flat = np.where(classes == label.ignore, -1, classes).ravel()
        elif isinstance(label, Detections):
            flat = label.classes if label.crowd is None else np.where(label.crowd, -1, label.classes)
        else:
            return None
        present, counts = np.unique(flat[flat >= 0], return_counts=True)
        if not len(present):
            return None
        chances = (counts / counts.sum()) ** (1 - self.rarity)
        chosen = present[min(int(np.searchsorted(np.cumsum(chances) / chances.sum(), kind, side="right")), len(present) - 1)]
        mine = np.flatnonzero(flat == chosen)
        one = int(mine[min(int(member * len(mine)), len(mine) - 1)])
        if isinstance(label, Detections):
            return (label.boxes[one, :2] + label.boxes[one, 2:]).astype(np.float64) / 2
        width = label.shape[1]
        return np.array([one % width + 0.5, one // width + 0.5])

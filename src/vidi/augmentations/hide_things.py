"""A part of each thing is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from vidi.core.augmentation import Augmentation, setting
from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.labels import Label
from vidi.ops.texture import natural


@dataclass(frozen=True)
class HideThings(Augmentation):
    """A part of each thing's box is hidden by something of natural texture. Labels stay, so the net learns to tell a thing by what is seen.

    Args:
        p: chance per thing, 0..1.
        low: smallest share of a box that is hidden, 0..1.
        high: largest share, 0..1.
    """

    mixes: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = ("Detections",)

    p: float = setting(0.3, 0, 1)
    low: float = setting(0.1, 0, 1)
    high: float = setting(0.5, 0, 1)

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        images = batch.inputs["image"]
        covered = self._covered(batch.labels, draw, images.shape[-2:])
        if not covered.any():
            return batch
        texture = natural(draw.child("texture").normal(*images.shape[1:]), draw.child("color").uniform)
        hidden = torch.where(torch.from_numpy(covered).to(images.device), texture.to(images.dtype), images)
        return Batch(batch.inputs | {"image": hidden}, batch.labels, batch.frames, batch.indices)

    def _covered(self, labels: Sequence[Label | None], draw: Draw, size: tuple[int, ...]) -> np.ndarray:
        """(B, 1, H, W) bool."""
        boxes = [np.zeros((0, 4), np.float32) if label is None else label.things() for label in labels]
        chance = draw.uniform(0, 1, max(1, *map(len, boxes)), 4).cpu().numpy()
        mask = np.zeros((len(labels), 1, *size), bool)
        for row, found in enumerate(boxes):
            for (left, top, right, bottom), (chosen, share, x, y) in zip(found, chance[row]):
                if chosen >= self.p:
                    continue
                part = np.sqrt(self.low + (self.high - self.low) * share)
                wide, tall = (right - left) * part, (bottom - top) * part
                x0, y0 = left + x * (right - left - wide), top + y * (bottom - top - tall)
                x0, x1, y0, y1 = (max(0, round(float(place))) for place in (x0, x0 + wide, y0, y0 + tall))
                mask[row, 0, y0:y1, x0:x1] = True
        return mask


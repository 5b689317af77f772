"""CutMix: a rectangle of another sample is pasted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from vidi.augmentations._mixing import beta_shares, partners, pasted
from vidi.core.augmentation import Augmentation, setting
from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.ops.shapes import rectangles


@dataclass(frozen=True)
class CutMix(Augmentation):
    """CutMix: a rectangle of another sample is pasted in, with labels mixed by area (Yun et al. 2019).

    Of things with boxes those that show are marked: in the rectangle the other picture's, around it the picture's own. A result
    depends on the batch.

    Args:
        p: chance per sample, 0..1.
        alpha: both parameters of the Beta law of the area that stays, 0.01..10.
    """

    mixes: ClassVar[bool] = True

    p: float = setting(0.5, 0, 1)
    alpha: float = setting(1.0, 0.01, 10)

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        images, partner = batch.inputs["image"], partners(draw)
        h, w = images.shape[-2:]
        side = torch.where(draw.child("p").chance(self.p), (1 - beta_shares(draw, self.alpha)).clamp_min(0).sqrt(), 0.0)
        wide, tall = (side * w).round(), (side * h).round()
        x, y = (draw.uniform() * w - wide / 2).round(), (draw.uniform() * h - tall / 2).round()
        boxes = rectangles(x, y, wide, tall, (h, w))
        if len(batch) < 2 or not bool(boxes.any()):
            return batch
        return pasted(batch, partner, boxes)

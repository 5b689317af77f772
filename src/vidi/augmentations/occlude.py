"""Something is in front: patches of other pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.augmentations._mixing import partners
from vidi.core.augmentation import Augmentation, setting, translation
from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.ops.shapes import blobs
from vidi.ops.warp import warp


@dataclass(frozen=True)
class Occlude(Augmentation):
    """Something is in front: patches with natural texture in irregular, soft-edged shapes. Labels stay.

    The texture comes from another sample of the batch, moved by a random way; in a batch of one, from another place of the picture
    itself. So a result depends on the batch.

    Args:
        p: chance per sample, 0..1.
        share: largest part that one patch covers, as a share of the picture's area, 0..1; the smallest is a fifth of this.
        count: most patches, 1..16.
        softness: width of a patch's edge as a share of the shorter side, 0..0.5.
    """

    mixes: ClassVar[bool] = True

    p: float = setting(0.5, 0, 1)
    share: float = setting(0.2, 0, 1)
    count: int = setting(2, 1, 16)
    softness: float = setting(0.04, 0, 0.5)

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        images = batch.inputs["image"]
        h, w = images.shape[-2:]
        x, y = ((draw.uniform(0.25, 0.75) * side).round() for side in (w, h))
        texture = warp(images[partners(draw)], translation(x, y), (h, w), fill="reflect")
        mask = self._mask(draw, (h, w)) * draw.child("p").chance(self.p)[:, None, None, None]
        mixed = torch.lerp(images, texture, mask.to(images.dtype))
        return Batch(batch.inputs | {"image": mixed}, batch.labels, batch.frames, batch.indices)

    def _mask(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        """(B, 1, H, W) in 0..1: how much of the texture is seen."""
        number = draw.integers(self.count) + 1
        mask = torch.zeros(len(draw), 1, *size, device=draw.device)
        short = min(size)
        for k in range(self.count):
            area = draw.uniform(self.share / 5, self.share) * (size[0] * size[1] / short**2)
            waves = draw.uniform(0.0, 0.3, 4) / torch.arange(1, 5, device=draw.device)
            blob = blobs(
                draw.uniform(), draw.uniform(), (area / math.pi).sqrt(), waves, draw.uniform(0, 2 * math.pi, 4),
                torch.full_like(area, self.softness), size,
            )  # fmt: skip
            mask = torch.maximum(mask, blob * (k < number)[:, None, None, None])
        return mask

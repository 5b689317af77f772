"""MixUp: two samples, one shining through the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from vidi.augmentations._mixing import beta_shares, mixed, partners
from vidi.core.augmentation import Augmentation, setting
from vidi.core.batch import Batch
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class MixUp(Augmentation):
    """MixUp: two samples, one shining through the other, with labels mixed in the same shares (Zhang et al. 2018).

    Of things with boxes all are marked that shine through with a share of 0.3 or more; there larger `alpha`, such as 8, are usual
    (Zhang et al. 2019, arXiv:1902.04103). A result depends on the batch.

    Args:
        p: chance per sample, 0..1.
        alpha: both parameters of the Beta law of the shares, 0.01..10; small ones mix little, large ones mix evenly.
    """

    mixes: ClassVar[bool] = True

    alpha: float = setting(0.2, 0.01, 10)

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        images, partner = batch.inputs["image"], partners(draw)
        share = torch.where(draw.child("p").chance(self.p), beta_shares(draw, self.alpha), 1.0)
        if len(batch) < 2 or bool((share >= 1).all()):
            return batch
        blended = torch.lerp(images[partner], images, share[:, None, None, None].to(images.dtype))
        return mixed(batch, blended, partner, share)

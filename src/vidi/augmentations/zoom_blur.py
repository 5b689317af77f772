"""Blurred by coming nearer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.lens import zoomed
from vidi.ops.severity import graded
from vidi.ops.warp import size_of

SMALL = ((1.05,), (1.1,), (1.15,), (1.2,), (1.25,))
LARGE = ((1.1,), (1.15,), (1.2,), (1.24,), (1.3,))


@dataclass(frozen=True)
class ZoomBlur(Augmentation):
    """Blurred by coming nearer while the shutter is open (Hendrycks and Dietterich 2019, arXiv:1903.12261).

    Args:
        p: chance per sample, 0..1.
        low: lowest severity, 1..5: the parameters of ImageNet-C, or of CIFAR-10-C for sides up to 64 pixels.
        high: highest severity, 1..5.
    """

    p: float = setting(0.3, 0, 1)
    low: float = setting(1.0, 1, 5)
    high: float = setting(3.0, 1, 5)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        (largest,) = graded(draw.uniform(self.low, self.high), size_of(images), SMALL, LARGE)
        return zoomed(images, largest)

"""Blurred by motion."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.blur import motion_blur


@dataclass(frozen=True)
class MotionBlur(Augmentation):
    """Blurred by a straight motion of the camera, in any direction.

    Args:
        p: chance per sample, 0..1.
        length: longest way in pixels, 0..64; the shortest is a tenth of this.
    """

    p: float = setting(0.3, 0, 1)
    length: float = setting(6.0, 0, 64)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        length, angle = draw.uniform(self.length / 10, self.length), draw.uniform(0, math.pi)
        return motion_blur(images, length, angle, math.ceil(self.length / 2) + 1)

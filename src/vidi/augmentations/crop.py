"""A random window of the net's size."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.core.augmentation import Augmentation, setting, translation
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class Crop(Augmentation):
    """A random window of the net's size, cut from the padded picture by whole pixels, as is usual on CIFAR.

    From a canvas that is larger than the net's input the window is cut at the canvas' own resolution.

    Args:
        p: chance per sample, 0..1; otherwise the whole picture is shown.
        pad: added on each side first: pixels, or below 1 a share of the net's input side, 0..1024.
        fill: what they show: reflect, border, zeros or a gray level 0..1.
    """

    pad: float = setting(0.125, 0, 1024)
    fill: Beyond = setting("reflect", 0, 1)

    def window(self, draw: Draw, size: tuple[int, int], target: tuple[int, int]) -> Tensor:
        shifts = []
        for old, new in ((size[1], target[1]), (size[0], target[0])):
            pad = round(self.pad * new) if self.pad < 1 else round(self.pad)
            room = old + 2 * pad - new
            start = draw.integers(max(room, 0) + 1) if room >= 0 else draw.integers(1) + room // 2
            shifts.append((pad - start).float())
        return translation(*shifts)

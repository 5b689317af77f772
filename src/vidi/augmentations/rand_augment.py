"""RandAugment: a few random operations at one strength."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.augmentations._policy import matrices, recolored, strengths
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.warp import size_of


@dataclass(frozen=True)
class RandAugment(Augmentation):
    """RandAugment: a few of fourteen operations in a row, all at one strength (Cubuk et al. 2020).

    What moves pixels is done first, in one resampling, and labels follow.

    Args:
        p: chance per sample, 0..1.
        count: operations in a row, 1..8.
        magnitude: strength, 0..30.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    count: int = setting(2, 1, 8)
    magnitude: float = setting(9.0, 0, 30)
    fill: Beyond = setting("zeros", 0, 1)

    def _ranges(self, size: tuple[int, int]) -> dict[str, tuple[float, float]]:
        h, w = size
        return {
            "identity": (0, 0), "shear_x": (0, 0.3), "shear_y": (0, 0.3), "translate_x": (0, 150 / 331 * w),
            "translate_y": (0, 150 / 331 * h), "rotate": (0, 30), "brightness": (0, 0.9), "saturation": (0, 0.9),
            "contrast": (0, 0.9), "sharpness": (0, 0.9), "posterize": (8, 4), "solarize": (1, 0), "autocontrast": (0, 0),
            "equalize": (0, 0),
        }  # fmt: skip

    def _chosen(self, draw: Draw, size: tuple[int, int]) -> list[tuple[list[str], Tensor, Tensor]]:
        """For each operation in the row: the names, and each sample's choice and strength, on the CPU."""
        ranges, draw, rows = self._ranges(size), draw.to("cpu"), []
        for _ in range(self.count):
            choice, negative = draw.integers(len(ranges)), draw.chance(0.5)
            level = torch.full((len(draw),), self.magnitude / 30)
            rows.append((list(ranges), choice, strengths(ranges, choice, level, negative)))
        return rows

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        total = torch.eye(3)
        for row in self._chosen(draw, size):
            total = matrices(*row, size) @ total
        return total

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        for row in self._chosen(draw, size_of(images)):
            images = recolored(images, *row)
        return images

"""TrivialAugment: one random operation at a random strength."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.augmentations._policy import matrices, recolored, strengths
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw


@dataclass(frozen=True)
class TrivialAugment(Augmentation):
    """TrivialAugment: one of fourteen operations at a random strength, with nothing to tune (Müller and Hutter 2021).

    The operations and ranges are those of the paper's wide space. Labels follow where pixels move.

    Args:
        p: chance per sample, 0..1.
        degrees: largest turn, 0..180.
        shear: largest slope, 0..2.
        shift: largest shift in pixels, 0..512.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    degrees: float = setting(135.0, 0, 180)
    shear: float = setting(0.99, 0, 2)
    shift: float = setting(32.0, 0, 512)
    fill: Beyond = setting("zeros", 0, 1)

    def _ranges(self) -> dict[str, tuple[float, float]]:
        return {
            "identity": (0, 0), "shear_x": (0, self.shear), "shear_y": (0, self.shear), "translate_x": (0, self.shift),
            "translate_y": (0, self.shift), "rotate": (0, self.degrees), "brightness": (0, 0.99), "saturation": (0, 0.99),
            "contrast": (0, 0.99), "sharpness": (0, 0.99), "posterize": (8, 2), "solarize": (1, 0), "autocontrast": (0, 0),
            "equalize": (0, 0),
        }  # fmt: skip

    def _chosen(self, draw: Draw) -> tuple[list[str], Tensor, Tensor]:
        """The operations' names, and each sample's choice and strength, on the CPU."""
        ranges, draw = self._ranges(), draw.to("cpu")
        choice = draw.integers(len(ranges))
        return list(ranges), choice, strengths(ranges, choice, draw.integers(31) / 30, draw.chance(0.5))

    def matrix(self, draw: Draw, size: tuple[int, int]) -> Tensor:
        return matrices(*self._chosen(draw), size)

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        return recolored(images, *self._chosen(draw))

"""CLAHE: local contrast, equalized tile by tile and limited (Pizer et al. 1987, Zuiderveld 1994)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vidi.errors import InputError
from vidi.nets.enhance._check import number, on_brightness
from vidi.ops.clahe import clahe

MOST_TILES = 64
AUTO_TILES, LEAST_TILE = 8, 16
"""Tiles a side that ``auto`` takes, as long as each has so many pixels a side."""


class Clahe(nn.Module):
    """Brightness through `vidi.ops.clahe.clahe`; see `enhance`."""

    def __init__(self, tiles: tuple[int, int] | None, clip: float):
        super().__init__()
        self.tiles, self.clip = tiles, clip

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (max(1, min(AUTO_TILES, side // LEAST_TILE)) for side in x.shape[2:])
        return on_brightness(x, lambda bright: clahe(bright[:, 0], self.tiles or (rows, columns), self.clip)[:, None]).clamp(0, 1)


def enhance(*, tiles: int | Sequence[int] | str = "auto", clip: float = 2.0) -> nn.Module:
    """Spread the brightness of each neighborhood over the range, contrast limited; color differences stay.

    S. Pizer et al., Adaptive histogram equalization and its variations, CVGIP 1987; K. Zuiderveld, Contrast limited adaptive histogram
    equalization, Graphics Gems IV 1994.

    Args:
        tiles: a side, or rows and columns, 1 to 64; auto: 8, but fewer where a tile would have less than 16 pixels a side.
        clip: how many times its even share a level of a tile's histogram may hold, up to 256; 0: no limit.

    Raises:
        InputError: a setting out of range.
    """
    if tiles == "auto":
        return Clahe(None, number("clahe", "clip", clip, 0, 256))
    sides = tuple(tiles) if isinstance(tiles, (list, tuple)) else (tiles, tiles)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= MOST_TILES for side in sides):
        raise InputError(f"expected a side, or rows and columns, of 1 to {MOST_TILES} tiles", at="clahe(tiles)", value=tiles)
    return Clahe((sides[0], sides[1]), number("clahe", "clip", clip, 0, 256))

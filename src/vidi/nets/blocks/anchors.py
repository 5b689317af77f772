"""Anchor boxes: the shapes that a detector's offsets start from, laid over every cell of its maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vidi.errors import RecipeError
from vidi.nets.dense._base import Truth
from vidi.ops.anchor_match import match_anchors

Shape = tuple[float, float]
MOST_RATIO, LARGEST_SIDE = 100.0, 100_000.0


class Anchors(nn.Module):
    """Boxes of fixed shapes around the center of every map cell; constants of the maps' sizes.

    Cell (row, column) of a level covers stride × stride pixels, and its anchors lie around the middle of those. (torchvision's
    generator centers them on the cells' top left corners and rounds their sides.)

    Args:
        strides: pixels per cell of each level.
        shapes: (width, height) in pixels of each level's anchors.
    """

    def __init__(self, strides: Sequence[int], shapes: Sequence[Sequence[Shape]]):
        super().__init__()
        if len(strides) != len(shapes) or not all(shapes):
            raise RecipeError(f"anchors for {len(strides)} levels", at="anchors", value=f"{len(shapes)} levels")
        self.strides = tuple(strides)
        self.counts = tuple(len(level) for level in shapes)
        for i, level in enumerate(shapes):
            sides = torch.tensor(level, dtype=torch.float32)
            self.register_buffer(f"around{i}", torch.cat([-sides, sides], 1) / 2, persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Anchors (H·W·count, 4) x1, y1, x2, y2 in pixels for each map (B, C, H, W): row by row, in a cell by the order of shapes."""
        levels = []
        for i, (level, stride) in enumerate(zip(maps, self.strides)):
            around = getattr(self, f"around{i}")
            height, width = level.shape[2], level.shape[3]
            x = (torch.arange(width, device=around.device, dtype=torch.float32) + 0.5) * stride
            y = (torch.arange(height, device=around.device, dtype=torch.float32) + 0.5) * stride
            centers = torch.stack([x[None].expand(height, width), y[:, None].expand(height, width)], -1).reshape(-1, 1, 2)
            levels.append((torch.cat([centers, centers], -1) + around).reshape(-1, 4))
        return levels


def rows_of(level: Tensor, width: int) -> Tensor:
    """Predictions (B, count·width, H, W) of one map as (B, H·W·count, width), in the order of the anchors."""
    _, channels, tall, wide = level.shape
    return level.permute(0, 2, 3, 1).reshape(len(level), tall * wide * (channels // width), width)


@torch.no_grad()
def matched(anchors: Tensor, truth: Truth, **settings: Any) -> Tensor:
    """What each anchor (A, 4) of each picture answers for, (B, A) int64: see `match_anchors`, also for the settings."""
    rows = zip(truth.boxes, truth.valid, truth.crowd)
    return torch.stack([match_anchors(anchors, boxes[valid], crowd, **settings) for boxes, valid, crowd in rows])


def shapes_by_scale(strides: Sequence[int], *, size: float, scales: Sequence[float], ratios: Sequence[float]) -> list[list[Shape]]:
    """The same shapes on every level, as large as its stride: squares of `size` cells times each scale, at each ratio.

    Args:
        strides: pixels per cell of each level.
        size: side of the square anchor of scale 1, in cells.
        scales: factors on the side.
        ratios: height over width; the area stays.

    Raises:
        RecipeError: a number out of range.
    """
    _check(size=[size], scales=scales, ratios=ratios)
    return [
        [(size * stride * scale / math.sqrt(ratio), size * stride * scale * math.sqrt(ratio)) for scale in scales for ratio in ratios]
        for stride in strides
    ]  # fmt: skip


def shapes_by_ladder(strides: Sequence[int], *, size: float, ratios: Sequence[float]) -> list[list[Shape]]:
    """SSD's default boxes (Liu et al. 2016, arXiv:1512.02325, section 2.2): on each level a square of `size` cells, one halfway
    (by ratio) to the next level's, and the square at each ratio, lying and standing. The finest level has the first ratio only.

    Raises:
        RecipeError: a number out of range.
    """
    _check(size=[size], ratios=ratios)
    sides = [size * stride for stride in strides]
    sides.append(sides[-1] * 2)
    levels = []
    for i, side in enumerate(sides[:-1]):
        middle = math.sqrt(side * sides[i + 1])
        level = [(side, side), (middle, middle)]
        for ratio in ratios[:1] if i == 0 else ratios:
            root = math.sqrt(ratio)
            level += [(side * root, side / root), (side / root, side * root)]
        levels.append(level)
    return levels


def shapes_given(anchors: Any, levels: int) -> list[list[Shape]]:
    """Shapes as `vidi anchors` prints them: widths and heights in pixels (w, h, w, h, … or pairs), or a list of pairs for each level.

    Those without levels are sorted by area and dealt out evenly, small ones to the finest level.

    Raises:
        RecipeError: not of this form, sides out of range, or a number that does not divide among the levels.
    """
    fix = "anchors=[10, 13, 16, 30, …], widths and heights in pixels; see `vidi anchors`"
    if isinstance(anchors, (list, tuple)) and len(anchors) % 2 == 0 and not any(isinstance(item, (list, tuple)) for item in anchors):
        anchors = list(zip(anchors[::2], anchors[1::2]))
    nested = _nested(anchors, fix)
    if nested is None:
        shapes = sorted((_shape(item, fix) for item in anchors), key=lambda shape: shape[0] * shape[1])
        if not shapes or len(shapes) % levels:
            raise RecipeError(f"a multiple of the net's {levels} levels", at="anchors", value=f"{len(shapes)} anchors", fix=fix)
        each = len(shapes) // levels
        return [shapes[i * each : (i + 1) * each] for i in range(levels)]
    if len(nested) != levels or not all(nested):
        raise RecipeError(f"one list for each of the net's {levels} levels", at="anchors", value=f"{len(nested)} lists", fix=fix)
    return [[_shape(item, fix) for item in level] for level in nested]


def check_even(shapes: Sequence[Sequence[Shape]]) -> int:
    """How many anchors a cell has, the same on every level, for heads that all levels share.

    Raises:
        RecipeError: levels differ.
    """
    counts = {len(level) for level in shapes}
    if len(counts) != 1:
        raise RecipeError("as many anchors on every level, because the levels share a head", at="anchors", value=sorted(counts))
    return counts.pop()


def _nested(anchors: Any, fix: str) -> list[Any] | None:
    """The lists of a list of levels, None for a plain list of shapes."""
    if not isinstance(anchors, (list, tuple)) or not all(isinstance(item, (list, tuple)) for item in anchors):
        raise RecipeError("a list of widths and heights", at="anchors", value=anchors, fix=fix)
    deep = [bool(item) and isinstance(item[0], (list, tuple)) for item in anchors]
    return list(anchors) if anchors and all(deep) else None


def _shape(item: Any, fix: str) -> Shape:
    numbers = len(item) == 2 and all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in item)
    if not numbers or not all(0 < side <= LARGEST_SIDE for side in item):
        raise RecipeError(f"two sides above 0 and up to {LARGEST_SIDE:.0f} pixels", at="anchors", value=item, fix=fix)
    return float(item[0]), float(item[1])


def _check(**settings: Sequence[float]) -> None:
    for name, values in settings.items():
        if not values or not all(1 / MOST_RATIO <= value <= MOST_RATIO for value in values):
            raise RecipeError(f"between {1 / MOST_RATIO:g} and {MOST_RATIO:g}", at=name, value=list(values))

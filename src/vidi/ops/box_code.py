"""Boxes as offsets from reference boxes (anchors or proposals), and back, in torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_LOG = math.log(1000 / 16)
SMALLEST_SIDE = 1e-2
WEIGHTS = (1.0, 1.0, 1.0, 1.0)


def encode_boxes(boxes: Tensor, references: Tensor, weights: Sequence[float] = WEIGHTS) -> Tensor:
    """Offsets (…, 4) of boxes (…, 4) from references (…, 4), both x1, y1, x2, y2 in pixels (Girshick et al. 2014, arXiv:1311.2524).

    The centers' distance in sides of the reference and the logarithms of the sides' ratios, each times its weight. Sides count as
    at least 0.01 pixels, so that offsets of empty boxes are finite.
    """
    center, sides = _center(references)
    target, target_sides = _center(boxes)
    offsets = torch.cat([(target - center) / sides, (target_sides / sides).log()], -1)
    return offsets * offsets.new_tensor(weights)


def decode_boxes(offsets: Tensor, references: Tensor, weights: Sequence[float] = WEIGHTS) -> Tensor:
    """The inverse of `encode_boxes`: boxes (…, 4) in pixels; a side grows by a factor of 62.5 at most."""
    offsets = offsets / offsets.new_tensor(weights)
    center, sides = _center(references)
    center = center + offsets[..., :2] * sides
    half = offsets[..., 2:].clamp(max=LARGEST_LOG).exp() * sides / 2
    return torch.cat([center - half, center + half], -1)


def clip_to(boxes: Tensor, height: float, width: float) -> Tensor:
    """Boxes (…, 4) cut to a picture of a size in pixels."""
    return torch.stack([
        boxes[..., 0].clamp(0, width), boxes[..., 1].clamp(0, height), boxes[..., 2].clamp(0, width), boxes[..., 3].clamp(0, height),
    ], -1)  # fmt: skip


def _center(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centers and sides, each (…, 2)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, (high - low).clamp_min(SMALLEST_SIDE)

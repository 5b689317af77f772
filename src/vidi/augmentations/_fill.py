"""What fills a place: beyond the border of a moved picture, or a hole punched into one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vidi.core.seeds import Draw

Beyond = float | Literal["reflect", "border", "zeros"]
"""Beyond the border: a gray level 0..1, the picture mirrored, its outermost pixels, or black."""

GRAY = 114 / 255
"""The gray of a letterboxed canvas. Around things with boxes it serves better than a mirrored picture, whose things nobody marked."""

Hole = float | Literal["mean", "noise"]
"""In a hole: a gray level 0..1, the picture's mean color, or noise of the picture's mean and contrast."""


def punched(images: Tensor, holes: Tensor, how: Hole, draw: Draw) -> Tensor:
    """Pictures with holes, (B, 1, H, W) bool, filled."""
    if not isinstance(how, str):
        return torch.lerp(images, images.new_full((1, 1, 1, 1), float(how)), holes.to(images.dtype))
    filling = images.mean((2, 3), keepdim=True)
    if how == "noise":
        spread = images.std((2, 3), keepdim=True, correction=0).clamp_min(0.1)
        filling = (filling + spread * draw.child("filling").normal(*images.shape[1:])).clamp_(0, 1)
    return torch.lerp(images, filling.to(images.dtype), holes.to(images.dtype))

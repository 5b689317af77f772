"""By how much the target falls where a patch slides over the picture (Zeiler and Fergus 2014, arXiv:1311.2901)."""

from __future__ import annotations

import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.methods.explain._base import FILLS, Explainer, copies, known_fill
from vidi.methods.explain._target import Target


class Occlusion(Explainer):
    """
    Args:
        size: side of the patch, in shares of the picture's shorter side.
        stride: distance of its places, in shares of its side.
        fill: what the patch shows: ``blur`` (the blurred picture), ``mean`` (its mean color) or ``black``.
    """

    name = "occlusion"
    signed = True

    def __init__(self, size: float = 0.2, stride: float = 0.5, fill: str = "blur"):
        for key, value in (("size", size), ("stride", stride)):
            if not 0 < value <= 1:
                raise InputError("a share above 0, 1 at most", at=key, value=value)
        self.size, self.stride, self.fill = size, stride, known_fill(fill)

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        height, width = images.shape[2:]
        side = max(1, round(self.size * min(height, width)))
        corners = [(top, left) for top in _places(height, side, self.stride) for left in _places(width, side, self.stride)]
        hidden, before = FILLS[self.fill](images), target.look(images)
        total, count = images.new_zeros(len(images), height, width), images.new_zeros(height, width)
        each = copies(images)
        rows = torch.arange(len(images), device=images.device)
        for start in range(0, len(corners), each):
            part = corners[start : start + each]
            masks = images.new_zeros(len(part), 1, 1, height, width)
            for mask, (top, left) in zip(masks, part):
                mask[..., top : top + side, left : left + side] = 1
            shown = torch.where(masks > 0, hidden, images)  # (K, B, 3, H, W)
            fallen = before - target[rows.repeat(len(part))].look(shown.flatten(0, 1)).view(len(part), -1)
            total += (fallen[:, :, None, None] * masks[:, :, 0]).sum(0)
            count += masks[:, 0, 0].sum(0)
        return total / count


def _places(length: int, side: int, stride: float) -> list[int]:
    """First pixels of a patch that slides from border to border."""
    step, last = max(1, round(stride * side)), length - side
    return [*range(0, last, step), last]


def explainer(*, size: float = 0.2, stride: float = 0.5, fill: str = "blur") -> Occlusion:
    """The method; see `Occlusion` for the settings."""
    return Occlusion(size, stride, fill)

"""The target of the picture seen through random masks, averaged over the masks that let a pixel through (Petsiuk, Das and Saenko 2018,
arXiv:1806.07421): needs nothing of the net but its outputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.methods.explain._base import FILLS, Explainer, at_least, copies, known_fill
from vidi.methods.explain._target import Target


class Rise(Explainer):
    """The mean of the target is taken off before masks are added up; as all pixels are seen equally often, that shifts the whole map and
    takes noise away.

    Args:
        steps: masks per picture; the paper has 4,000 and more for pictures of 224 pixels.
        cells: of the coarse grid along each side that masks are enlarged from.
        share: of the cells that are seen, above 0 and below 1.
        fill: what stands behind masks: ``black``, ``mean`` or ``blur``.
    """

    name = "rise"
    signed = True

    def __init__(self, steps: int = 512, cells: int = 7, share: float = 0.5, fill: str = "black"):
        at_least(1, steps=steps, cells=cells)
        if not 0 < share < 1:
            raise InputError("a share above 0 and below 1", at="share", value=share)
        self.steps, self.cells, self.share, self.fill = steps, cells, share, known_fill(fill)

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        own, hidden = draw.child(self.name), FILLS[self.fill](images)
        seen, weighted = torch.zeros_like(images[:, 0]), torch.zeros_like(images[:, 0])
        total = images.new_zeros(len(images))
        each = copies(images)
        rows = torch.arange(len(images), device=images.device)
        for start in range(0, self.steps, each):
            masks = torch.stack([self.mask(own, images.shape[2], images.shape[3]) for _ in range(min(each, self.steps - start))])
            shown = hidden + masks[:, :, None] * (images - hidden)  # (K, B, 3, H, W)
            values = target[rows.repeat(len(masks))].look(shown.flatten(0, 1)).view(len(masks), -1)
            weighted += (values[:, :, None, None] * masks).sum(0)
            seen += masks.sum(0)
            total += values.sum(0)
        return (weighted - (total / self.steps)[:, None, None] * seen) / (self.steps * self.share)

    def mask(self, draw: Draw, height: int, width: int) -> Tensor:
        """One random mask per picture, (B, H, W) in 0..1: a coarse grid of zeros and ones, enlarged and shifted by less than a cell."""
        cell = [-(-side // self.cells) for side in (height, width)]
        grid = draw.chance(self.share, 1, self.cells + 1, self.cells + 1).float()
        large = F.interpolate(grid, size=[(self.cells + 1) * side for side in cell], mode="bilinear", align_corners=False)[:, 0]
        top, left = draw.integers(cell[0]), draw.integers(cell[1])
        y = top[:, None] + torch.arange(height, device=large.device)
        x = left[:, None] + torch.arange(width, device=large.device)
        return large[torch.arange(len(large), device=large.device)[:, None, None], y[:, :, None], x[:, None, :]]


def explainer(*, steps: int = 512, cells: int = 7, share: float = 0.5, fill: str = "black") -> Rise:
    """The method; see `Rise` for the settings."""
    return Rise(steps, cells, share, fill)

"""AugMix: several chains of operations, mixed with the original."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.augmentations._fill import Beyond
from vidi.augmentations._mixing import gamma_draws
from vidi.augmentations._policy import MOVES, matrices, recolored, strengths
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.warp import size_of, warp


@dataclass(frozen=True)
class AugMix(Augmentation):
    """AugMix: several chains of weak operations, averaged and mixed with the original (Hendrycks et al. 2020).

    The chains move pixels by different ways before they are averaged, so no label can follow: set ``moves=False`` where labels
    have places.

    Args:
        p: chance per sample, 0..1.
        severity: largest strength, 1..10.
        width: chains, 1..8.
        depth: most operations in a chain, 1..8.
        alpha: parameter of the Dirichlet and Beta laws of the shares, 0.1..10.
        moves: whether chains shear, shift and turn.
        fill: beyond the border: reflect, border, zeros or a gray level 0..1.
    """

    severity: int = setting(3, 1, 10)
    width: int = setting(3, 1, 8)
    depth: int = setting(3, 1, 8)
    alpha: float = setting(1.0, 0.1, 10)
    moves: bool = True
    fill: Beyond = setting("reflect", 0, 1)

    def _ranges(self, size: tuple[int, int]) -> dict[str, tuple[float, float]]:
        h, w = size
        ranges = {
            "autocontrast": (0, 0), "equalize": (0, 0), "posterize": (4, 0), "solarize": (1, 0), "shear_x": (0, 0.3),
            "shear_y": (0, 0.3), "translate_x": (0, w / 3), "translate_y": (0, h / 3), "rotate": (0, 30),
        }  # fmt: skip
        return {name: ends for name, ends in ranges.items() if self.moves or name not in MOVES}

    def pixels(self, images: Tensor, draw: Draw) -> Tensor:
        shares = gamma_draws(draw.child("chains"), self.alpha, self.width)
        shares = shares / shares.sum(1, keepdim=True)
        both = gamma_draws(draw.child("original"), self.alpha, 2)
        kept = (both[:, 0] / both.sum(1))[:, None, None, None]
        total = torch.zeros_like(images)
        for index in range(self.width):
            chain = self._chain(images, draw.child(f"chain{index}"))
            total += shares[:, index, None, None, None] * chain
        return torch.lerp(total, images, kept).clamp_(0, 1)

    def _chain(self, images: Tensor, draw: Draw) -> Tensor:
        """Pictures after one chain; each sample has its own length and operations."""
        size, draw = size_of(images), draw.to("cpu")
        ranges = self._ranges(size)
        names, length = list(ranges), draw.integers(self.depth) + 1
        for place in range(self.depth):
            choice, negative = draw.integers(len(names)), draw.chance(0.5)
            value = strengths(ranges, choice, (draw.uniform() * self.severity).floor() / 9, negative)
            if "posterize" in names:
                value = torch.where(choice == names.index("posterize"), value.clamp_min(1), value)
            active = (place < length).nonzero().squeeze(1)
            if not len(active):
                break
            where = active.to(images.device)
            part = recolored(images[where], names, choice[active], value[active])
            part = warp(part, matrices(names, choice[active], value[active], size), size, fill=self.fill)
            images = images.index_copy(0, where, part)
        return images

"""A sticker that misleads wherever it is put near its place (Brown et al. 2017, arXiv:1712.09665): trained over random shifts and
light (expectation over transformation, Athalye et al. 2018, arXiv:1707.07397), and on wish smooth enough to print (Sharif et al. 2016)."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.methods.attack._base import Attack, Batches, Budget, at_least
from vidi.methods.attack._goal import Goal
from vidi.methods.attack._search import Measure, again, dlr, first, need, plain

PLACES = {"center": (0.5, 0.5), "top-left": (0.0, 0.0), "top-right": (1.0, 0.0), "bottom-left": (0.0, 1.0), "bottom-right": (1.0, 1.0)}


class Patch(Attack):
    """
    Args:
        size: side of the square, as a share of the picture's shorter side.
        place: ``center``, ``top-left``, ``top-right``, ``bottom-left``, ``bottom-right`` or ``random``.
        shift: largest shift from the place either way, as a share of the side.
        light: largest factor on the sticker's brightness either way, in training.
        steps: one batch each; the data set is passed over as often as need be.
        looks: random shifts and lights of a batch in each step.
        lr: Adam's step.
        smooth: weight of the mean difference between neighboring pixels.
    """

    name = "patch"
    norms = ()
    trains = True

    def __init__(
        self, size: float = 0.25, place: str = "center", shift: float = 0.05, light: float = 0.1, steps: int = 100, looks: int = 1, lr: float = 0.05, smooth: float = 0.0
    ):  # fmt: skip
        at_least(1, steps=steps, looks=looks)
        at_least(0, shift=shift, light=light, lr=lr, smooth=smooth)
        need(self.name, 0 < size <= 1, "a share of the shorter side", "size", size, "0..1")
        need(self.name, place in (*PLACES, "random"), "no such place", "place", place, f"one of {', '.join(PLACES)}, random")
        self.size, self.place, self.shift, self.light, self.steps, self.looks, self.lr, self.smooth = size, place, shift, light, steps, looks, lr, smooth
        self.sticker: Tensor | None = None

    def fit(self, net: nn.Module, batches: Batches, budget: Budget, draw: Draw) -> None:
        with torch.inference_mode(False), held(net):
            self.sticker = self._learn(net, batches, draw)

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        sticker = self.sticker
        if sticker is None or sticker.shape[1] != images.shape[1]:
            sticker = self._learn(net, lambda: [(images, goal)], first(draw))
        if sticker is None:
            return images
        return put(images, sticker.expand(len(images), -1, -1, -1), *self._corners(images, sticker.shape[2], draw.child("place")))

    def noise(self, images: Tensor, budget: Budget, draw: Draw) -> Tensor:
        """A sticker of random colors at the same places."""
        side = self._side(images)
        colors = draw.child("colors").uniform(0, 1, images.shape[1], side, side)
        return put(images, colors, *self._corners(images, side, draw.child("place")))

    def _learn(self, net: nn.Module, batches: Batches, draw: Draw) -> Tensor | None:
        point: Tensor | None = None
        for images, goal in islice(again(batches), self.steps):
            if point is None:
                side = self._side(images)
                point = draw.to(images.device).uniform(0.05, 0.95, images.shape[1], side, side).logit().requires_grad_(True)
                adam = torch.optim.Adam([point], lr=self.lr)
            slope = torch.zeros_like(point)
            for _ in range(self.looks):
                draw = draw.child("look")
                slope += self._slope(net, images, goal, point, Draw(draw.keys.to(images.device) + torch.arange(len(images), device=images.device)))
            point.grad = -slope.nan_to_num(0.0, 0.0, 0.0)
            adam.step()
        return None if point is None else point.detach().sigmoid()

    def _slope(self, net: nn.Module, images: Tensor, goal: Goal, point: Tensor, draw: Draw) -> Tensor:
        """The gradient of the mean goal under one random shift and light per picture."""
        with torch.enable_grad():
            sticker = point.sigmoid()
            factor = 1 + self.light * draw.uniform(-1, 1).view(-1, 1, 1, 1)
            shown = put(images, (sticker * factor).clamp(0, 1), *self._corners(images, point.shape[2], draw))
            value = _measure(goal)(goal, net({"image": shown, **goal.others}))
            rough = sum((sticker.diff(dim=axis).abs().mean() for axis in (2, 3) if sticker.shape[axis] > 1), torch.zeros((), device=point.device))
            total = torch.where(value.isfinite(), value, torch.zeros_like(value)).mean() - self.smooth * rough
            return torch.autograd.grad(total, point)[0]

    def _side(self, images: Tensor) -> int:
        return max(1, round(self.size * min(images.shape[2:])))

    def _corners(self, images: Tensor, side: int, draw: Draw) -> tuple[Tensor, Tensor]:
        """Top and left of the sticker on each picture, (B,) int64 each."""
        corners = []
        for axis, length in ((1, images.shape[2]), (0, images.shape[3])):
            if self.place == "random":
                corners.append(draw.integers(length - side + 1))
                continue
            reach = round(self.shift * length)
            middle = round(PLACES[self.place][axis] * (length - side))
            corners.append((middle - reach + draw.integers(2 * reach + 1)).clamp(0, length - side))
        return corners[0], corners[1]


def put(images: Tensor, stickers: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """Pictures (B, C, H, W) with stickers (B, C, S, S) at (top, left), (B,) each; differentiable in the stickers."""
    offsets = torch.arange(stickers.shape[2], device=images.device)
    rows, planes = torch.arange(len(images), device=images.device), torch.arange(images.shape[1], device=images.device)
    where = (rows[:, None, None, None], planes[None, :, None, None], (top[:, None] + offsets)[:, None, :, None], (left[:, None] + offsets)[:, None, None, :])
    return images.index_put(where, stickers.to(images.dtype))


def _measure(goal: Goal) -> Measure:
    return dlr if goal.exclusive else plain


def attack(
    *, size: float = 0.25, place: str = "center", shift: float = 0.05, light: float = 0.1, steps: int = 100, looks: int = 1, lr: float = 0.05, smooth: float = 0.0
) -> Patch:  # fmt: skip
    """The method; see `Patch` for the settings."""
    return Patch(size, place, shift, light, steps, looks, lr, smooth)

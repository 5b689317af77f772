"""What every attack is: a search for changed pictures within a budget, on a net that is held still meanwhile."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from vidi.core.discovery import make
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.errors import InputError
from vidi.methods.attack._goal import Goal
from vidi.ops.projection import NORMS, project, sizes

ROOM = "methods/attack"
DEFAULTS = {"linf": "8/255", "l2": "0.5", "l1": "12"}
"""Budgets that are usual in the literature for small pictures."""

Batches = Callable[[], Iterable[tuple[Tensor, Goal]]]
"""A pass over a data set: pictures and the goal for them."""


def parse_size(value: str | float, at: str = "budget") -> float:
    """A size in units of the pixel range 0..1: ``8/255``, ``0.5`` or a number.

    Raises:
        InputError: neither, negative, or not finite.
    """
    try:
        top, slash, bottom = str(value).partition("/")
        size = float(top) / (float(bottom) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        raise InputError("not a size", at=at, value=value, fix="a number or a fraction, in units of the pixel range: 0.03 or 8/255") from None
    if not math.isfinite(size) or size < 0:
        raise InputError("a size is finite and not negative", at=at, value=value)
    return size


@dataclass(frozen=True, slots=True)
class Budget:
    """How far a picture may be changed.

    Args:
        norm: ``linf`` (every value by so much), ``l2`` (Euclidean length of the change over all values), ``l1`` (sum of changes).
        size: in units of the pixel range 0..1.

    Raises:
        InputError: no such norm, or a size that is negative, not finite or (linf) above 1.
    """

    norm: str
    size: float

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise InputError("no such norm", at="norm", value=self.norm, fix=f"one of {', '.join(NORMS)}")
        if parse_size(self.size) > 1 and self.norm == "linf":
            raise InputError("pixels lie in 0..1, so a change of linf is at most 1", at="budget", value=self.size, fix=f"{self.size:g}/255, if levels were meant")

    @classmethod
    def parse(cls, size: str | float | None, norm: str = "linf") -> Budget:
        """A budget as it is written, ``8/255`` or ``0.5``; None: the usual one of the norm."""
        return cls(norm, parse_size(DEFAULTS.get(norm, "0") if size is None else size))

    def project(self, images: Tensor, clean: Tensor) -> Tensor:
        """Pictures (B, C, H, W) brought back into the ball around the clean ones, and into 0..1."""
        if self.norm == "linf":
            return torch.minimum(torch.maximum(images, clean - self.size), clean + self.size).clamp(0, 1)
        return (clean + project(images - clean, self.norm, self.size)).clamp(0, 1)

    def spent(self, images: Tensor, clean: Tensor) -> Tensor:
        """How far each picture is from its clean one, (B,)."""
        return sizes(images - clean, self.norm)

    def start(self, clean: Tensor, draw: Draw) -> Tensor:
        """Random pictures of the ball, (B, C, H, W)."""
        shape, count = clean.shape[1:], clean[0].numel()
        if self.norm == "linf":
            return (clean + self.size * draw.uniform(-1, 1, *shape)).clamp(0, 1)
        radius = draw.uniform() ** (1 / count)
        return (clean + radius.view(-1, 1, 1, 1) * self._shell(clean, draw)).clamp(0, 1)

    def noise(self, clean: Tensor, draw: Draw) -> Tensor:
        """Pictures with random noise of the full size: random signs (linf), normal (l2) or two-sided exponential (l1) noise."""
        if self.norm == "linf":
            return (clean + self.size * (draw.uniform(0, 1, *clean.shape[1:]) - 0.5).sign()).clamp(0, 1)
        return (clean + self._shell(clean, draw)).clamp(0, 1)

    def _shell(self, clean: Tensor, draw: Draw) -> Tensor:
        """Random changes whose norm is the budget's size."""
        if self.norm == "l2":
            change = draw.normal(*clean.shape[1:])
        else:
            unit = draw.uniform(-1, 1, *clean.shape[1:])
            change = unit.sign() * -(1 - unit.abs()).clamp_min(1e-12).log()
        return change * (self.size / sizes(change, self.norm).clamp_min(1e-12)).view(-1, 1, 1, 1)


class Attack(ABC):
    """A way to mislead nets. A file of ``methods/attack`` defines ``attack(**settings) -> Attack``.

    Attributes:
        norms: the norms in which it can keep a budget; empty: it is bounded otherwise, and the budget is not looked at.
        classes: works only where one number for each class decides (`Goal.decisive`).
        trains: learns from a whole data set first (`fit`).
    """

    name: ClassVar[str]
    norms: ClassVar[tuple[str, ...]] = NORMS
    classes: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    @abstractmethod
    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        """Changed pictures, as good as can be found; `run` checks what comes in and goes out."""

    def fit(self, net: nn.Module, batches: Batches, budget: Budget, draw: Draw) -> None:
        """Learn from a data set what is the same for all pictures.

        Args:
            batches: gives a fresh pass at each call.
            draw: one row; the seed.
        """
        return None

    def run(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        """Changed pictures in 0..1 within the budget; the net, its mode and its parameters stay as they are.

        Args:
            net: gives raw outputs for ``{"image": …}``.
            images: (B, 3, H, W) float in 0..1.
            goal: what is to rise, for these pictures.
            budget: how far pictures may be changed; not looked at where `norms` is empty.
            draw: randomness, one row per picture.

        Raises:
            InputError: the method cannot work with this net's outputs or the norm.
        """
        if not len(images):
            return images.clone()
        self.check(goal, budget)
        if self.norms and budget.size == 0:
            return images.clone()
        with torch.inference_mode(False), held(net):
            clean = images.detach().clone()
            found = self.search(net, clean, goal, budget, draw).detach()
        found = torch.where(found.isfinite(), found, clean)
        return budget.project(found, clean) if self.norms else found.clamp(0, 1)

    def noise(self, images: Tensor, budget: Budget, draw: Draw) -> Tensor:
        """Pictures changed as much, but at random, to compare with."""
        return budget.noise(images, draw) if len(images) else images.clone()

    def check(self, goal: Goal, budget: Budget) -> None:
        """
        Raises:
            InputError: the method cannot work with this net's outputs or the norm.
        """
        if self.classes and not goal.decisive:
            raise InputError(f"{self.name} walks to the border between classes, and these predictions are not one number per class", at="method", value=self.name,
                             fix="method=pgd or method=apgd, which raise any loss")  # fmt: skip
        if self.norms and budget.norm not in self.norms:
            raise InputError(f"{self.name} does not know this norm", at="norm", value=budget.norm, fix=f"norm={' or '.join(self.norms)}, or method=pgd")


def make_attack(name: str, **settings: object) -> Attack:
    """An attack by name or path, with its settings.

    Raises:
        ChoiceError: no such method.
        InputError: settings that it does not have or refuses.
    """
    return make(ROOM, "attack", name, settings, fix="see `vidi list attacks`")


def at_least(least: float, **values: float | None) -> None:
    """
    Raises:
        InputError: a setting is smaller.
    """
    for name, value in values.items():
        if value is not None and not value >= least:
            raise InputError("too small", at=name, value=value, fix=f"{least:g} or more")

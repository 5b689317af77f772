"""What losses over embedding vectors share: their contract, sums of them by name, and who is whose mate in a batch."""

from __future__ import annotations

import inspect
import math
import re
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.calls import parse_call
from vidi.core.discovery import load, member
from vidi.errors import RecipeError, nearest

ROOM = "nets/metric_losses"
ABSENT = -1e4
"""Stands for minus infinity in sums of exponentials: its share is exactly 0 and its gradient is not NaN."""

_TERM = re.compile(r"\s*(?:(?P<factor>[0-9.]+(?:e-?[0-9]+)?)\s*\*\s*)?(?P<call>.+?)\s*", re.DOTALL)
_PLUS = re.compile(r"\+(?![^()]*\))")


class MetricLoss(nn.Module, ABC):
    """A loss over the vectors of a batch. A sample's part may depend on its batch mates: that is what these losses are about."""

    @abstractmethod
    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> Tensor:
        """The part of each sample, (B,) float32; 0 where the identity is not known, or no mate is there to compare with.

        Args:
            vectors: (B, D) float32 of unit length.
            identity: (B,) int64, the class of each; −1: not known.
            present: (C,) bool, the classes that training samples have.
        """


class Sum(nn.Module):
    """Several losses by name, each with a factor: ``arcface+0.5*triplet(margin=0.2)``.

    Args:
        text: the losses.
        dim: D.
        classes: C.

    Raises:
        RecipeError: not of this form, a loss twice, or a setting it does not have.
        ChoiceError: no such loss.
    """

    def __init__(self, text: str, dim: int, classes: int):
        super().__init__()
        self.factors: dict[str, float] = {}
        self.parts = nn.ModuleDict()
        for term in _PLUS.split(text):
            found = _TERM.fullmatch(term)
            if found is None:
                raise RecipeError("losses are written name(key=value), joined by +, each with a factor if wanted", at="loss", value=text,
                                  fix="arcface+0.5*triplet(margin=0.2)")  # fmt: skip
            name, settings = parse_call(found["call"], "loss")
            module = load(ROOM, name)
            key = name if name.isidentifier() else module.__name__.rpartition(".")[2]
            if key in self.parts:
                raise RecipeError("a loss stands twice", at="loss", value=text)
            self.factors[key] = float(found["factor"] or 1)
            self.parts[key] = _made(member(module, "loss", ROOM), name, settings, dim, classes)

    def forward(self, vectors: Tensor, identity: Tensor, present: Tensor) -> dict[str, Tensor]:
        """The weighed parts by name, each (B,)."""
        if not len(vectors):
            return {key: vectors.new_zeros(0) for key in self.parts}
        return {key: self.factors[key] * part(vectors, identity, present) for key, part in self.parts.items()}


def _made(maker: Any, name: str, settings: dict[str, Any], dim: int, classes: int) -> nn.Module:
    known = [p.name for p in inspect.signature(maker).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key in settings:
        if key not in known:
            close = nearest(key, known)
            fix = f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known) or 'none'}"
            raise RecipeError("this loss has no such setting", at="loss", value=f"{key} in {name}", fix=fix)
    return maker(dim, classes, **settings)


def proxies(dim: int, *shape: int) -> nn.Parameter:
    """(*shape, D) directions that stand for classes, drawn at random.

    They are short, a tenth of a unit, so that a step turns them further than it turns the net's weights: Kim et al. 2020 give proxies a
    hundredfold learning rate to this end. Their length is of no meaning otherwise.
    """
    return nn.Parameter(0.1 * F.normalize(torch.randn(*shape, dim), dim=-1))


def mates(identity: Tensor) -> tuple[Tensor, Tensor]:
    """Whom each sample is compared with, two (B, B) bool: others of its identity, and those of another. (B,) int64; −1 is nobody's mate."""
    known = identity >= 0
    both = known[:, None] & known
    same = identity[:, None] == identity
    other = ~torch.eye(len(identity), dtype=torch.bool, device=identity.device)
    return same & both & other, ~same & both


def soft_count(values: Tensor, chosen: Tensor, dim: int) -> Tensor:
    """log(1 + Σ exp(values)) over the chosen entries of a dim; 0 where none is."""
    return F.softplus(values.masked_fill(~chosen, ABSENT).logsumexp(dim))


def in_range(name: str, value: float, low: float, high: float = math.inf, *, closed: bool = False) -> None:
    """
    Args:
        closed: whether `low` itself is allowed.

    Raises:
        RecipeError: a setting that is no number over `low` and at most `high`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecipeError("a number", at=name, value=value)
    if not low < value <= high and not (closed and value == low):
        least = f"{low:g} or more" if closed else f"over {low:g}"
        raise RecipeError(least + ("" if high == math.inf else f" and at most {high:g}"), at=name, value=value)

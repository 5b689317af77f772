"""What losses over class maps share: their contract, sums of them by name, and the truth as tensors."""

from __future__ import annotations

import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidi.core.calls import parse_call
from vidi.core.discovery import load, member
from vidi.errors import RecipeError, nearest
from vidi.labels import Segmentation
from vidi.ops.pixel_loss import UNKNOWN

ROOM = "nets/losses"
BALANCED = "balanced"
HEAVIEST = 20.0
"""Largest balanced weight, so that a class of a few pixels does not decide alone."""

_TERM = re.compile(r"\s*(?:(?P<factor>[0-9.]+(?:e-?[0-9]+)?)\s*\*\s*)?(?P<call>.+?)\s*", re.DOTALL)
_PLUS = re.compile(r"\+(?![^()]*\))")


class View:
    """Logits beside their truth; what several losses need is computed once.

    Args:
        logits: (B, C, H, W).
        truth: (B, H, W) int64, −1 where not known.
    """

    def __init__(self, logits: Tensor, truth: Tensor):
        self.logits, self.truth = logits.float().contiguous(), truth

    @cached_property
    def logs(self) -> Tensor:
        """(B, C, H, W) log-probabilities."""
        return self.logits.log_softmax(1)

    @cached_property
    def probabilities(self) -> Tensor:
        """(B, C, H, W) in 0..1."""
        return self.logs.exp()


class PixelLoss(nn.Module, ABC):
    """A loss over class maps. A file of ``nets/losses`` defines ``loss(**settings) -> PixelLoss``."""

    def start(self, classes: int) -> None:
        """Called once, when the number of classes is known."""

    @abstractmethod
    def forward(self, view: View) -> Tensor:
        """The loss of each picture, (B,) float32; 0 for one of which no pixel is known. A picture's does not depend on the others'."""

    @property
    def looks(self) -> bool:
        """Whether `fit` has something to do."""
        return False

    def fit(self, counts: Tensor) -> None:
        """Take over what depends on the training labels: pixels of each class (C,) float64, not all 0."""


class Weighted(PixelLoss):
    """A loss with a weight per class.

    Args:
        weights: one number per class, 0 or more; ``balanced``: the inverse of each class's share of the training pixels, such that the mean
            over pixels is 1, at most 20; None: all 1.
    """

    weights: Tensor | None

    def __init__(self, weights: Any = None):
        super().__init__()
        if weights is not None and weights != BALANCED:
            sound = isinstance(weights, (list, tuple)) and all(_is_number(w) and 0 <= w < math.inf for w in weights)
            if not sound or not any(weights):
                raise RecipeError("weights are numbers of 0 or more, one per class, or balanced", at="loss.weights", value=weights, fix=f"weights={BALANCED}")
        self.chosen = weights
        self.register_buffer("weights", None)

    def start(self, classes: int) -> None:
        values = None if self.chosen is None else torch.ones(classes)
        if isinstance(self.chosen, (list, tuple)):
            if len(self.chosen) != classes:
                raise RecipeError("one weight per class", at="loss.weights", value=len(self.chosen), fix=f"{classes} numbers")
            values = torch.tensor(self.chosen, dtype=torch.float32)
        self.register_buffer("weights", values)

    @property
    def looks(self) -> bool:
        return self.chosen == BALANCED

    def fit(self, counts: Tensor) -> None:
        if self.looks and self.weights is not None:
            present = counts > 0
            balanced = counts.sum() / (present.sum() * counts.clamp_min(1))
            self.weights.copy_(torch.where(present, balanced.clamp_max(HEAVIEST), 1.0))


class Sum(nn.Module):
    """Several losses by name, each with a factor: ``ce(weights=balanced)+0.5*dice(smooth=1)``.

    Args:
        text: the losses.
        classes: C.

    Raises:
        RecipeError: not of this form, a loss twice, or a setting it does not have.
        ChoiceError: no such loss.
    """

    def __init__(self, text: str, classes: int):
        super().__init__()
        self.factors: dict[str, float] = {}
        self.parts = nn.ModuleDict()
        for term in _PLUS.split(str(text)):
            found = _TERM.fullmatch(term)
            if found is None:
                raise RecipeError("losses are written name(key=value), joined by +, each with a factor if wanted", at="loss", value=text, fix="ce+0.5*dice(smooth=1)")
            name, settings = parse_call(found["call"], "loss")
            module = load(ROOM, name)
            key = name if name.isidentifier() else module.__name__.rpartition(".")[2]
            if key in self.parts:
                raise RecipeError("a loss stands twice", at="loss", value=text)
            part = _made(member(module, "loss", ROOM), name, settings)
            part.start(classes)
            self.factors[key], self.parts[key] = float(found["factor"] or 1), part

    def forward(self, view: View) -> dict[str, Tensor]:
        """The weighed parts by name, each (B,)."""
        return {key: self.factors[key] * part(view) for key, part in self.parts.items()}

    @torch.no_grad()
    def fit(self, labels: Sequence[Segmentation], classes: int) -> None:
        """Let each loss look at the training labels; without a known pixel all stay as they are."""
        looking = [part for part in self.parts.values() if isinstance(part, PixelLoss) and part.looks]
        counts = np.zeros(classes)
        for label in labels if looking else ():
            counts += np.bincount(known_map(label, classes).ravel() + 1, minlength=classes + 1)[1:]
        for part in looking if counts.any() else ():
            part.fit(torch.from_numpy(counts).to(next(self.buffers()).device))


def _made(maker: Any, name: str, settings: dict[str, Any]) -> PixelLoss:
    known = [p.name for p in inspect.signature(maker).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key in settings:
        if key not in known:
            close = nearest(key, known)
            fix = f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known) or 'none'}"
            raise RecipeError("this loss has no such setting", at="loss", value=f"{key} in {name}", fix=fix)
    return maker(**settings)


def known_map(label: Segmentation, classes: int) -> np.ndarray:
    """(H, W) int64 class indices; −1 where the label does not know, or has a value that is no class."""
    values = label.classes.astype(np.int64)
    values[(values == label.ignore) | (values < 0) | (values >= classes)] = UNKNOWN
    return values


def truth_maps(labels: Sequence[Segmentation], size: tuple[int, int], classes: int, device: torch.device | str = "cpu") -> Tensor:
    """Labels as one tensor (B, H, W) int64, −1 where not known.

    Raises:
        ValueError: a label's map is not of the size (H, W).
    """
    out = np.empty((len(labels), *size), np.int64)
    for i, label in enumerate(labels):
        if label.shape != tuple(size):
            raise ValueError(f"truth: expected a map of {tuple(size)}, got {label.shape}")
        out[i] = known_map(label, classes)
    return torch.from_numpy(out).to(device, non_blocking=True)


def in_range(name: str, value: float, low: float, high: float = math.inf) -> float:
    """The value itself.

    Raises:
        RecipeError: no number in low..high.
    """
    if not _is_number(value) or not low <= value <= high:
        raise RecipeError(f"{low:g} or more" if high == math.inf else f"in {low:g}..{high:g}", at=f"loss.{name}", value=value)
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

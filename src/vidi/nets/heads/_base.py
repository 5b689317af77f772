"""What every head can do: features to raw outputs, raw outputs to loss parts and to labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError


class Head(nn.Module, ABC):
    """The last stage of a net.

    Attributes:
        kinds: what each raw output is, see `vidi.core.net.Net`.
        label_smoothing: share of the truth spread evenly over all classes, 0..1; heads without classes ignore it.
        predicts: the family of predictions where it is another than the truth's: identities in, vectors out; None: the same.
    """

    kinds: Mapping[str, str]
    label_smoothing: float = 0.0
    predicts: str | None = None

    @abstractmethod
    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """(B, D) features to raw outputs."""

    @abstractmethod
    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Any]) -> dict[str, Tensor]:
        """Named parts, each (B,) float32; samples of unknown truth get 0."""

    @abstractmethod
    def decode(self, raw: Mapping[str, Tensor]) -> list[Any]:
        """One label per sample."""

    def fit_labels(self, labels: Sequence[Any]) -> None:
        """Initial values that depend on the training labels."""


def check_space(space: Space, family: str, exclusive: bool | None = None) -> None:
    """Refuse labels that a head cannot speak of.

    Raises:
        RecipeError: another family, no names, or exclusive classes where independent ones are meant (and the reverse).
    """
    wanted = family if exclusive is None else f"{family} with {'exclusive' if exclusive else 'independent'} classes"
    given = (
        space.family
        if exclusive is None
        else f"{space.family} with {'exclusive' if space.exclusive else 'independent'} classes"
    )
    if space.family != family or (exclusive is not None and space.exclusive != exclusive):
        raise RecipeError(f"this head is for {wanted}", at="head", value=given, fix="choose the head of the task")
    if not space.names:
        raise RecipeError("the labels have no names", at="space.names", value="()", fix="give at least one class or value")


def truth_of(array: np.ndarray, like: Tensor) -> Tensor:
    """Stacked truth as float32 on the device of `like`."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(like.device, non_blocking=True)

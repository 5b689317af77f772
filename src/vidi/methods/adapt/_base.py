"""What every adaptation is: a net changed in place by pictures of the new conditions, whose labels it never sees."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.calls import parse_call
from vidi.core.console import progress
from vidi.core.discovery import make
from vidi.core.net import Net
from vidi.core.seeds import permutation
from vidi.engine.infer import to_float
from vidi.errors import InputError
from vidi.methods.adapt._norms import Moved, batch_norms

ROOM = "methods/adapt"
Inputs = Mapping[str, Tensor]


class Pictures:
    """Pictures of the new conditions on the net's canvas, without their labels.

    Args:
        loader: `vidi.data.loader.Loader`.
        count: of its data set.
        device: where batches go.
        seed: of the order.
    """

    def __init__(self, loader: Any, count: int, device: torch.device, seed: int = 0):
        self.loader, self.count, self.device, self.seed = loader, count, device, seed

    def __len__(self) -> int:
        return self.count

    def order(self, epoch: int, indices: np.ndarray | None = None) -> np.ndarray:
        """All pictures, or those at `indices`, in the order of an epoch."""
        among = np.arange(self.count) if indices is None else indices
        return among[permutation(len(among), self.seed, epoch)]

    def whole(self, order: np.ndarray) -> np.ndarray:
        """The order without a last batch that is not full, where there are others: normalized by itself, it would count too much."""
        size = self.loader.batch
        return order[: len(order) // size * size] if len(order) > size else order

    def batches(self, order: np.ndarray) -> Iterator[Inputs]:
        """Inputs of the pictures in an order, pictures (B, 3, H, W) float in 0..1."""
        stream = self.loader.batches(order)
        with contextlib.closing(stream):
            for batch in stream:
                yield to_float(batch, self.device).inputs

    def shown(self, order: np.ndarray, title: str) -> Iterator[Inputs]:
        """The same with a progress bar."""
        done = 0
        with progress(title, len(order)) as bar:
            for inputs in self.batches(order):
                yield inputs
                done += len(next(iter(inputs.values())))
                bar.update(done)


@dataclass
class Changes:
    """What an adaptation did to a net.

    Args:
        layers: how far running statistics moved, from input to output.
        numbers: further figures by name.
        sections: figures and tables for the report.
        notes: what was decided or seen, one sentence each.
        stopped: why the guard stopped it; None: it did not.
    """

    layers: list[Moved] = field(default_factory=list)
    numbers: dict[str, float | None] = field(default_factory=dict)
    sections: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: str | None = None


class Adapter(ABC):
    """A way to adapt. A file of ``methods/adapt`` defines ``adapter(**settings) -> Adapter``."""

    name: ClassVar[str]

    @abstractmethod
    def check(self, net: Net) -> None:
        """
        Raises:
            InputError: the method cannot work with this net; `fix` names the alternative.
        """

    @abstractmethod
    def adapt(self, net: Net, pictures: Pictures) -> Changes:
        """Change the net, which is on the pictures' device and is left in evaluation mode.

        Raises:
            InputError: no pictures, or as `check`.
        """

    def to_dict(self) -> dict[str, Any]:
        """Its settings, for the model's lineage."""
        return {}


def make_adapter(text: str) -> Adapter:
    """The adaptation that ``name(key=value, …)`` means.

    Raises:
        RecipeError: not of this form.
        ChoiceError: no such method.
        InputError: settings that it does not have or refuses.
    """
    name, settings = parse_call(text, "method")
    return make(ROOM, "adapter", name, settings, value=text, fix="see `vidi list adapters`")


def need_pictures(pictures: Pictures) -> None:
    """
    Raises:
        InputError: there are none.
    """
    if not len(pictures):
        raise InputError("no pictures to adapt to", at="data", fix="give pictures of the new conditions; labels are not needed")


def need_batch_norm(net: Net) -> None:
    """
    Raises:
        InputError: the net has no batch norm with running statistics.
    """
    if not batch_norms(net):
        raise InputError(
            "the net has no batch norm, whose statistics could be taken from the new pictures", at="method", value="bn",
            fix="method=tent changes the scales of other norms; or train with augmentations for the new conditions",
        )  # fmt: skip


def between(low: float, high: float, **values: Any) -> None:
    """
    Raises:
        InputError: a setting is not a number, or lies outside.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise InputError("out of range", at=name, value=value, fix=f"a number from {low:g} to {high:g}")


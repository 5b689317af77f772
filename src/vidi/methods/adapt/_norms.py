"""Normalization layers: which there are, what their inputs are like on new pictures, and how far that is from what they knew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidi.nets._transfer import NORMS


def batch_norms(net: nn.Module) -> dict[str, _BatchNorm]:
    """The batch norms that keep running statistics, by name, in the net's order."""
    return {name: layer for name, layer in net.named_modules() if isinstance(layer, _BatchNorm) and layer.running_mean is not None}


def scales(net: nn.Module) -> dict[str, nn.Parameter]:
    """The learned scales and shifts of all normalization layers, by name."""
    return {
        f"{name}.{part}": value
        for name, layer in net.named_modules() if isinstance(layer, NORMS)
        for part, value in layer.named_parameters(recurse=False)
    }  # fmt: skip


@contextlib.contextmanager
def by_batch(net: nn.Module) -> Iterator[None]:
    """The net in evaluation mode but for batch norms, which normalize by the batch and leave their running statistics alone, for the
    length of a block. A layer that sees a single value per channel, of which there is no variance, uses what it knows."""
    net.eval()
    handles, layers = [], list(batch_norms(net).values())

    def choose(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        several = _count(inputs[0]) > 1
        layer.training, layer.track_running_stats = several, not several  # type: ignore[assignment]

    try:
        handles += [layer.register_forward_pre_hook(choose) for layer in layers]
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers:
            layer.training, layer.track_running_stats = False, True


def _count(values: Tensor) -> int:
    """Values per channel of (B, C, …)."""
    return values.numel() // max(1, values.shape[1])


class Tally:
    """Sums over all values that reach a layer, by channel, in double precision; shifted by a first guess of the mean, so that nothing
    is lost where the spread is small."""

    def __init__(self, like: Tensor):
        self.guess = like.detach().double()
        self.sum, self.squares, self.count = torch.zeros_like(self.guess), torch.zeros_like(self.guess), 0

    @torch.no_grad()
    def add(self, values: Tensor) -> None:
        rows = values.detach().transpose(0, 1).flatten(1).double() - self.guess[:, None]
        self.sum += rows.sum(1)
        self.squares += rows.square().sum(1)
        self.count += rows.shape[1]

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and unbiased variance, as running statistics hold them."""
        mean = self.sum / self.count
        return self.guess + mean, (self.squares / self.count - mean.square()).clamp_min(0) * (self.count / max(1, self.count - 1))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Running mean and variance of each batch norm, copies of their own, float64."""

    values: dict[str, tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, net: nn.Module) -> Statistics:
        return cls({name: (layer.running_mean.double(), layer.running_var.double()) for name, layer in batch_norms(net).items()})  # type: ignore[union-attr]

    @torch.no_grad()
    def put(self, net: nn.Module) -> None:
        """Let the net hold them."""
        layers = batch_norms(net)
        for name, (mean, variance) in self.values.items():
            layers[name].running_mean.copy_(mean)  # type: ignore[union-attr]
            layers[name].running_var.copy_(variance)  # type: ignore[union-attr]

    def mixed(self, tallies: dict[str, Tally], own: float) -> Statistics:
        """These, weighing `own` (0..1), and what was tallied. A layer that nothing reached keeps its own."""
        found = {}
        for name, (mean, variance) in self.values.items():
            seen = tallies[name].moments() if name in tallies and tallies[name].count > 1 else (mean, variance)
            found[name] = (own * mean + (1 - own) * seen[0], own * variance + (1 - own) * seen[1])
        return Statistics(found)


@contextlib.contextmanager
def settling(net: nn.Module, source: Statistics, own: float) -> Iterator[dict[str, Tally]]:
    """A tally for each batch norm, filled by whatever runs through the net in the block. Each layer normalizes a batch by the source's
    statistics, weighing `own`, mixed with the batch's, so that deep layers see their inputs as they will be."""
    net.eval()
    layers, handles = batch_norms(net), []
    tallies = {name: Tally(mean) for name, (mean, _) in source.values.items()}

    def watch(name: str):
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            batch = Tally(source.values[name][0])
            batch.add(inputs[0])
            tallies[name].add(inputs[0])
            Statistics({name: source.values[name]}).mixed({name: batch}, own).put(net)

        return hook

    try:
        handles += [layers[name].register_forward_pre_hook(watch(name)) for name in source.values]
        yield tallies
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True, slots=True)
class Moved:
    """How far the statistics of a layer moved, over its channels.

    Args:
        layer: its name.
        shift: mean distance of the means, in the old standard deviations.
        largest: the largest of them.
        spread: new over old standard deviation, geometric mean.
    """

    layer: str
    shift: float
    largest: float
    spread: float


def moved(before: Statistics, after: Statistics, eps: float = 1e-5) -> list[Moved]:
    """What changed, layer by layer from input to output."""
    found = []
    for name, (mean, variance) in before.values.items():
        new_mean, new_variance = after.values[name]
        deviation = (variance + eps).sqrt()
        shift = (new_mean - mean).abs() / deviation
        spread = ((new_variance + eps).sqrt() / deviation).log().mean().exp()
        found.append(Moved(name, float(shift.mean()), float(shift.max()), float(spread)))
    return found

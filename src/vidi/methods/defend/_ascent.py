"""The attacker of a training step: projected gradient ascent on a batch, as cheap as it can be.

Nothing is kept but the pictures: no look at the result, no best of several, no gradients of parameters. Batch norm uses its running
statistics meanwhile, as in the code of TRADES and MART and as Pang et al. 2021 (arXiv:2010.00467, section 4) advise, so attacked pictures on
the way leave no trace in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.labels import Label
from vidi.methods.defend._base import Budget
from vidi.ops.divergence import divergence
from vidi.ops.projection import project, steepest

Raw = Mapping[str, Tensor]
Rise = Callable[[Raw], Tensor]
"""What an attacker raises, (B,), from raw outputs."""

NEAR = 1e-3
"""Standard deviation of the noise from which an ascent sets out where the gradient vanishes on the clean pictures (Zhang et al. 2019)."""


@dataclass(frozen=True, slots=True)
class Ball:
    """A budget of another size, for steps of a training that does not begin with the full one.

    Args:
        budget: the attacker's.
        share: of its size, 0..1.
    """

    budget: Budget
    share: float = 1.0

    @property
    def norm(self) -> str:
        return self.budget.norm

    @property
    def size(self) -> float:
        return self.budget.size * self.share

    def project(self, images: Tensor, clean: Tensor) -> Tensor:
        """Pictures (B, C, H, W) brought back into the ball around the clean ones, and into 0..1."""
        if self.norm == "linf":
            return torch.minimum(torch.maximum(images, clean - self.size), clean + self.size).clamp_(0, 1)
        return (clean + project(images - clean, self.norm, self.size)).clamp_(0, 1)

    def start(self, clean: Tensor, draw: Draw) -> Tensor:
        """Random pictures of the ball."""
        return clean + self.share * (self.budget.start(clean, draw) - clean)


def near(clean: Tensor, draw: Draw) -> Tensor:
    """Pictures a hair beside the clean ones, in 0..1."""
    return (clean + NEAR * draw.normal(*clean.shape[1:])).clamp_(0, 1)


def total(parts: Mapping[str, Tensor]) -> Tensor:
    """The sum of a loss's parts, (B,)."""
    return torch.stack(list(parts.values())).sum(0)


def loss_of(net: Net, labels: Sequence[Label | None]) -> Rise:
    """The net's loss for labels."""
    return lambda raw: total(net.loss(raw, labels))  # type: ignore[arg-type]


def distance_from(net: Net, raw: Raw) -> Rise:
    """How far raw outputs are from others, which are taken as given."""
    fixed = {name: value.detach() for name, value in raw.items()}
    return lambda found: divergence(fixed, found, net.kinds)


def tells(net: Net) -> bool:
    """Whether predictions are labels of the truth's kind, so that a picture's loss is its own and an attacker can raise it."""
    return net.predicts.family == net.space.family


def slope(module: Any, batch: Batch, images: Tensor, rise: Rise) -> tuple[Tensor, Tensor]:
    """What is raised, (B,), and its gradient with respect to pictures (B, C, H, W); zero where it is not finite."""
    with torch.enable_grad():
        leaf = images.detach().requires_grad_(True)
        value = rise(module({**batch.inputs, "image": leaf}))
        finite = torch.where(value.isfinite(), value, torch.zeros_like(value))
        gradient = torch.autograd.grad(finite.sum(), leaf)[0] if finite.requires_grad else torch.zeros_like(leaf)
    return value.detach(), gradient.nan_to_num_(0.0, 0.0, 0.0)


def ascend(net: Net, module: Any, batch: Batch, begin: Tensor, rise: Rise, ball: Ball, *, steps: int, length: float) -> Tensor:
    """Pictures after steps uphill within a ball around the batch's, (B, C, H, W) without gradient.

    Args:
        net: is held still and in evaluation mode, then put back.
        module: the net as it is to be called.
        batch: clean pictures, in 0..1, and the net's other inputs.
        begin: where the ascent sets out.
        rise: what is raised.
        steps: how many; none gives `begin`.
        length: of a step, in units of the pixel range.
    """
    clean, images = batch.inputs["image"], begin.detach()
    with held(net):
        for _ in range(steps):
            _, gradient = slope(module, batch, images, rise)
            images = ball.project(images + length * steepest(gradient, ball.norm, images), clean)
    return images.contiguous(memory_format=torch.channels_last) if clean.is_contiguous(memory_format=torch.channels_last) else images.contiguous()

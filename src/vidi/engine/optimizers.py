"""Optimizers over a net's parameter groups."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from vidi.core.net import Net
from vidi.core.recipe import Recipe
from vidi.nets import _transfer

DEFAULTS = {"adamw": (2e-3, 0.05), "sgd": (0.1, 5e-4), "muon": (0.02, 0.01)}
"""Peak learning rate and weight decay by optimizer, for a batch of 128 or so."""


def settings(recipe: Recipe) -> tuple[float, float]:
    """Peak learning rate and weight decay that a recipe means."""
    lr, decay = DEFAULTS[recipe.optimizer]
    return (lr if recipe.lr is None else recipe.lr), (decay if recipe.weight_decay is None else recipe.weight_decay)


def build(net: Net, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of a recipe; every group keeps its own peak under ``peak_lr``."""
    lr, decay = settings(recipe)
    groups = _transfer.parameter_groups(net, lr, decay, recipe.layer_decay, recipe.bias_lr)
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=lr, betas=(recipe.momentum, 0.999), weight_decay=decay, foreach=True)
    elif recipe.optimizer == "sgd":
        _couple_decay(groups)
        optimizer = torch.optim.SGD(groups, lr=lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0, weight_decay=decay, foreach=True)
    else:
        optimizer = Muon(groups, lr=lr, momentum=recipe.momentum, weight_decay=decay)
    for group in optimizer.param_groups:
        group.setdefault("peak_lr", group["lr"])
    return optimizer


def _couple_decay(groups: list[dict[str, Any]]) -> None:
    """SGD's weight decay is an L2 term of the gradient; a group with a larger rate keeps the same decay per step."""
    base = min(group["lr"] for group in groups)
    for group in groups:
        group["weight_decay"] = group["weight_decay"] * base / group["lr"]


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalized by Newton and Schulz (Jordan 2024, "Muon"), for convolution and matrix weights; AdamW-free SGD for the rest.

    Args:
        groups: parameter groups with ``lr`` and ``weight_decay``.
        lr: peak learning rate of orthogonalized updates; vectors (biases, norms) use it too, on plain Nesterov momentum.
        momentum: Nesterov momentum.
        weight_decay: decoupled.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float = 0.02, momentum: float = 0.9, weight_decay: float = 0.0):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                buffer = state["momentum_buffer"]
                buffer.mul_(group["momentum"]).add_(p.grad)
                update = p.grad.add(buffer, alpha=group["momentum"])
                p.mul_(1 - group["lr"] * group["weight_decay"])
                if p.ndim >= 2 and min(p.shape[0], p[0].numel()) > 1:
                    flat = update.reshape(len(update), -1)
                    update = (orthogonalize(flat) * max(1.0, flat.shape[0] / flat.shape[1]) ** 0.5).view_as(p)
                p.add_(update, alpha=-group["lr"])


def orthogonalize(matrix: torch.Tensor, steps: int = 3) -> torch.Tensor:
    """The nearest semi-orthogonal matrix to an (R, C) one, roughly, by a quintic Newton–Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (matrix.norm() + 1e-7)
    turned = x.shape[0] > x.shape[1]
    if turned:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if turned else x


def set_progress(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Put every group's learning rate at a share of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * share


def trainable(net: nn.Module) -> list[nn.Parameter]:
    return [p for p in net.parameters() if p.requires_grad]

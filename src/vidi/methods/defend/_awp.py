"""Adversarial weight perturbation: a step is taken on weights that are moved, layer by layer, to where the loss is higher, so that the loss
becomes flat around them (Wu, Xia and Wang 2020, arXiv:2004.05884)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

TINY = 1e-20


class Perturbation:
    """Moves weights for the length of a step, and puts them back bit for bit.

    Args:
        size: length of the change of a layer's weights, as a share of their own length; the paper has 0.005 to 0.01.
    """

    def __init__(self, size: float):
        self.size = size
        self._kept: list[tuple[nn.Parameter, Tensor]] = []

    def apply(self, net: nn.Module, loss: Callable[[], Tensor]) -> None:
        """Move the weights of every layer up the slope of a loss; buffers (batch statistics) that it touches stay as they were.

        As in the authors' code, only tensors of two and more dimensions move, each by its own length: biases and norms do not.

        Args:
            loss: computes a scalar with the net as it stands.
        """
        buffers = [(buffer, buffer.clone()) for buffer in net.buffers()]
        weights = [weight for weight in net.parameters() if weight.requires_grad and weight.ndim > 1]
        slopes = torch.autograd.grad(loss(), weights, allow_unused=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
            for weight, slope in zip(weights, slopes):
                if slope is None or not torch.isfinite(slope).all():
                    continue
                self._kept.append((weight, weight.detach().clone()))
                weight.add_(slope, alpha=float(self.size * weight.norm() / (slope.norm() + TINY)))

    @torch.no_grad()
    def restore(self) -> None:
        """Put the weights back."""
        for weight, before in self._kept:
            weight.copy_(before)
        self._kept.clear()

"""Numbers: absolute, squared, Huber or Gaussian loss, in standardized units inside and the user's units outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Regression
from vidi.nets.heads._base import Head, check_space, truth_of

LOSSES = ("huber", "l1", "l2", "gaussian")
WIDEST = 12.0


class Values(Head):
    """Values (B, D) and, with the Gaussian loss, their log variance (B, D), both in the user's units.

    Args:
        features: input width.
        values: D.
        loss: ``l1``, ``l2``, ``huber`` or ``gaussian`` (Nix and Weigend 1994), which predicts a std too.
        delta: where Huber's loss turns from squared to absolute, in standard deviations of the training values.
        beta: weight variance^beta on the Gaussian loss, 0 for plain likelihood (Seitzer et al. 2022, arXiv:2203.09168).
    """

    center: Tensor
    scale: Tensor

    def __init__(self, features: int, values: int, *, loss: str = "huber", delta: float = 1.0, beta: float = 0.5):
        super().__init__()
        if loss not in LOSSES:
            raise RecipeError(f"one of {', '.join(LOSSES)}", at="loss", value=loss)
        self.name, self.delta, self.beta, self.width = loss, delta, beta, values
        self.kinds = {"values": "euclidean"} | ({"log_variance": "aux"} if loss == "gaussian" else {})
        self.linear = nn.Linear(features, values * (2 if loss == "gaussian" else 1))
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("center", torch.zeros(values))
        self.register_buffer("scale", torch.ones(values))

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        out = self.linear(features).float()
        raw = {"values": out[:, : self.width] * self.scale + self.center}
        if self.name == "gaussian":
            # Bounded to e^±12 of the training variance, smoothly, so that no gradient dies or explodes.
            raw["log_variance"] = WIDEST * torch.tanh(out[:, self.width :] / WIDEST) + 2 * self.scale.log()
        return raw

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Regression]) -> dict[str, Tensor]:
        """Mean over the known values of a sample, (B,), in standardized units."""
        values = raw["values"].float()
        truth = truth_of(Regression.stack(labels), values)
        known = ~truth.isnan()
        gap = (values - torch.where(known, truth, values.detach())) / self.scale
        if self.name == "l1":
            parts = gap.abs()
        elif self.name == "l2":
            parts = gap.square()
        elif self.name == "huber":
            parts = F.huber_loss(gap, torch.zeros_like(gap), reduction="none", delta=self.delta)
        else:
            log_variance = raw["log_variance"].float() - 2 * self.scale.log()
            parts = 0.5 * (log_variance + gap.square() * torch.exp(-log_variance))
            if self.beta:
                parts = parts * torch.exp(self.beta * log_variance.detach())
        return {self.name: torch.where(known, parts, 0.0).sum(1) / known.sum(1).clamp_min(1)}

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Regression]:
        values = raw["values"].detach().float().cpu().numpy()
        if self.name != "gaussian":
            return [Regression(row) for row in values]
        std = torch.exp(0.5 * raw["log_variance"].detach().float()).cpu().numpy()
        return [Regression(row, wide) for row, wide in zip(values, std)]

    @torch.no_grad()
    def fit_labels(self, labels: Sequence[Regression]) -> None:
        """Center and scale from the known training values; a constant or unknown value gets scale 1."""
        if not len(labels):
            return
        truth = np.ma.masked_invalid(Regression.stack(labels).astype(np.float64))
        center, scale = truth.mean(0).filled(0.0), truth.std(0).filled(0.0)
        constant = scale <= 1e-6 * np.maximum(np.abs(center), 1e-30)
        self.center.copy_(torch.from_numpy(center))
        self.scale.copy_(torch.from_numpy(np.where(constant, 1.0, scale)))


def head(features: int, space: Space, *, loss: str = "huber", delta: float = 1.0, beta: float = 0.5) -> Values:
    """The head for numbers; see `Values`."""
    check_space(space, "Regression")
    return Values(features, len(space), loss=loss, delta=delta, beta=beta)

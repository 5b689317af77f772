"""Several classes at once: one sigmoid per class, with cross-entropy, focal or asymmetric loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Classification
from vidi.nets.heads._base import Head, check_space, truth_of

LOSSES = ("bce", "focal", "asymmetric")


def focal(logits: Tensor, truth: Tensor, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    """Cross-entropy that counts easy entries less, elementwise (Lin et al. 2017, arXiv:1708.02002).

    Args:
        logits, truth: same shape; truth in 0..1.
        gamma: how strongly easy entries fade.
        alpha: weight of positives, 1 − alpha of negatives; equal when None.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    p = logits.sigmoid()
    loss = entropy * (p + truth - 2 * p * truth).clamp_min(1e-8).pow(gamma)
    return loss if alpha is None else loss * (alpha * truth + (1 - alpha) * (1 - truth))


def asymmetric(logits: Tensor, truth: Tensor, positive: float = 1.0, negative: float = 4.0, clip: float = 0.05) -> Tensor:
    """Focal loss with a stronger fade for negatives, whose probability is first shifted by `clip`, elementwise
    (Ridnik et al. 2021, arXiv:2009.14119)."""
    p = logits.sigmoid()
    shifted = (1 - p + clip).clamp(max=1)
    # The paper's authors stop the gradient of the two weights.
    with torch.no_grad():
        fade = (1 - p).pow(positive) * truth + (1 - shifted).pow(negative) * (1 - truth)
    return -fade * (truth * F.logsigmoid(logits) + (1 - truth) * shifted.clamp_min(1e-8).log())


class Sigmoid(Head):
    """Logits (B, C) by one linear layer.

    Args:
        features: input width.
        classes: C.
        loss: ``bce``, ``focal`` or ``asymmetric``.
        label_smoothing: share by which truth moves toward 1/2.
        gamma, alpha: of the focal loss.
        positive, negative, clip: of the asymmetric loss.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        loss: str = "bce",
        label_smoothing: float = 0.0,
        gamma: float = 2.0,
        alpha: float | None = None,
        positive: float = 1.0,
        negative: float = 4.0,
        clip: float = 0.05,
    ):
        super().__init__()
        if loss not in LOSSES:
            raise RecipeError(f"one of {', '.join(LOSSES)}", at="loss", value=loss)
        self.kinds = {"logits": "bernoulli"}
        self.label_smoothing, self.name = label_smoothing, loss
        self.options: dict[str, Any] = {"bce": {}, "focal": {"gamma": gamma, "alpha": alpha}}.get(
            loss, {"positive": positive, "negative": negative, "clip": clip}
        )
        self.class_weight: Tensor | None = None
        self.linear = nn.Linear(features, classes)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {"logits": self.linear(features)}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Classification]) -> dict[str, Tensor]:
        """Mean over the known classes of a sample, (B,). `class_weight` (C,), when set, weighs positives."""
        logits = raw["logits"].float()
        truth = truth_of(Classification.stack(labels), logits)
        known = ~truth.isnan()
        truth = torch.where(known, truth, 0.0)
        if self.label_smoothing:
            truth = truth * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.name == "bce":
            parts = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        else:
            parts = (focal if self.name == "focal" else asymmetric)(logits, truth, **self.options)
        if self.class_weight is not None:
            parts = parts * (1 + truth * (self.class_weight.to(truth) - 1))
        return {self.name: torch.where(known, parts, 0.0).sum(1) / known.sum(1).clamp_min(1)}

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Classification]:
        return [Classification(row) for row in raw["logits"].detach().float().sigmoid().cpu().numpy()]

    @torch.no_grad()
    def fit_labels(self, labels: Sequence[Classification]) -> None:
        """Start the bias at each class's log odds among the known (Lin et al. 2017, section 4.1)."""
        if not len(labels):
            return
        truth = Classification.stack(labels).astype(np.float64)
        share = (np.nansum(truth, 0) + 0.5) / ((~np.isnan(truth)).sum(0) + 1)
        self.linear.bias.copy_(torch.from_numpy(np.log(share / (1 - share))))


def head(
    features: int,
    space: Space,
    *,
    loss: str = "bce",
    label_smoothing: float = 0.0,
    gamma: float = 2.0,
    alpha: float | None = None,
    positive: float = 1.0,
    negative: float = 4.0,
    clip: float = 0.05,
) -> Sigmoid:
    """The head for independent classes; see `Sigmoid`."""
    check_space(space, "Classification", exclusive=False)
    smoothing = label_smoothing
    options: dict[str, Any] = {"gamma": gamma, "alpha": alpha, "positive": positive, "negative": negative, "clip": clip}
    return Sigmoid(features, len(space), loss=loss, label_smoothing=smoothing, **options)

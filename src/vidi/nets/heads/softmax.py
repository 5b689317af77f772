"""One class of many: softmax cross-entropy, with soft labels and label smoothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.labels import Classification
from vidi.nets.heads._base import Head, check_space, truth_of


class Softmax(Head):
    """Logits (B, C) by one linear layer.

    Args:
        features: input width.
        classes: C.
        label_smoothing: see Szegedy et al. 2016, arXiv:1512.00567.
        scale: factor on the logits.
        bias: whether the linear layer has one; it starts at the classes' log frequency (`fit_labels`).
    """

    def __init__(self, features: int, classes: int, *, label_smoothing: float = 0.0, scale: float = 1.0, bias: bool = True):
        super().__init__()
        self.kinds = {"logits": "categorical"}
        self.label_smoothing, self.scale = label_smoothing, scale
        self.class_weight: Tensor | None = None
        self.linear = nn.Linear(features, classes, bias=bias)
        if bias:
            nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {"logits": self.linear(features * self.scale)}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Classification]) -> dict[str, Tensor]:
        """Cross-entropy (B,). A row with unknown classes counts only if its known ones sum to one. `class_weight` (C,), when
        set, weighs each class's share."""
        logits = raw["logits"].float()
        truth = truth_of(Classification.stack(labels), logits)
        unknown = truth.isnan()
        truth = torch.where(unknown, 0.0, truth)
        keep = ~unknown.any(1) | ((truth.sum(1) - 1).abs() < 1e-3)
        if self.label_smoothing:
            truth = truth * (1 - self.label_smoothing) + self.label_smoothing / truth.shape[1]
        if self.class_weight is not None:
            truth = truth * self.class_weight.to(truth)
        parts = -(truth * logits.log_softmax(1)).sum(1)
        return {"cross_entropy": torch.where(keep, parts, 0.0)}

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Classification]:
        return [Classification(row) for row in raw["logits"].detach().float().softmax(1).cpu().numpy()]

    @torch.no_grad()
    def fit_labels(self, labels: Sequence[Classification]) -> None:
        """Start the bias at the log of each class's share (one imagined sample is spread over all classes)."""
        if self.linear.bias is None or not len(labels):
            return
        truth = np.nan_to_num(Classification.stack(labels).astype(np.float64))
        share = truth.sum(0) + 1 / truth.shape[1]
        bias = np.log(share / share.sum())
        self.linear.bias.copy_(torch.from_numpy(bias - bias.mean()))


def head(features: int, space: Space, *, label_smoothing: float = 0.0, scale: float = 1.0, bias: bool = True) -> Softmax:
    """The head for exclusive classes; see `Softmax`."""
    check_space(space, "Classification", exclusive=True)
    return Softmax(features, len(space), label_smoothing=label_smoothing, scale=scale, bias=bias)

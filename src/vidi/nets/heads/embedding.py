"""A point on the unit sphere where like pictures lie near each other, learned from classes or identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Classification, Embedding
from vidi.nets.heads._base import Head, check_space
from vidi.nets.metric_losses._base import Sum

NECKS = ("none", "bn")


class Neck(nn.BatchNorm1d):
    """Batch norm without a shift between features and vector (Luo et al. 2019, arXiv:1903.07071); a sample alone is normalized as in
    evaluation mode."""

    def __init__(self, dim: int):
        super().__init__(dim)
        self.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) > 1:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


class Vectors(Head):
    """Unit vectors (B, D) by one linear layer, raw output ``embedding``, trained by losses that compare them with batch mates
    (``triplet``, ``supcon``, ``multi_similarity``) or with learned proxies of the classes (``arcface``, ``proxy_anchor``).

    Truth is a class out of many, the prediction is a vector: classes serve to learn, and need not be those that are met later. The
    parts of the loss of a sample depend on its batch mates, so batches should hold several samples of each class (``per_class``).

    Args:
        features: input width.
        classes: C.
        dim: D.
        neck: ``bn`` for a batch norm after the linear layer; ``none``.
        loss: losses of ``nets/metric_losses``, see `vidi.nets.metric_losses._base.Sum`.
    """

    predicts = Embedding.family

    def __init__(self, features: int, classes: int, *, dim: int = 128, neck: str = "none", loss: str = "proxy_anchor"):
        super().__init__()
        if dim < 2:
            raise RecipeError("a vector has at least two values", at="dim", value=dim)
        if neck not in NECKS:
            raise RecipeError(f"one of {', '.join(NECKS)}", at="neck", value=neck)
        self.kinds = {"embedding": "vector"}
        self.linear = nn.Linear(features, dim, bias=False)
        self.neck = Neck(dim) if neck == "bn" else nn.Identity()
        self.losses = Sum(loss, dim, classes)
        self.present: Tensor
        self.register_buffer("present", torch.ones(classes, dtype=torch.bool), persistent=False)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {"embedding": F.normalize(self.neck(self.linear(features)).float(), dim=1)}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Classification]) -> dict[str, Tensor]:
        """One part (B,) for each loss, which may depend on batch mates. A sample has the class that is more probable than all others
        together; one without such a class costs nothing and is nobody's mate."""
        vectors = raw["embedding"].float()
        identity = torch.from_numpy(identities(labels)).to(vectors.device)
        identity = torch.where(self.present[identity.clamp_min(0)], identity, -1)
        return self.losses(vectors, identity, self.present)

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Embedding]:
        return [Embedding(row) for row in raw["embedding"].detach().float().cpu().numpy()]

    @torch.no_grad()
    def fit_labels(self, labels: Sequence[Classification]) -> None:
        """Classes without a training sample, such as those kept for validation, have no say in the loss."""
        found = identities(labels)
        found = found[found >= 0]
        if len(found):
            self.present.zero_()
            self.present[torch.from_numpy(np.unique(found))] = True


def identities(labels: Sequence[Classification]) -> np.ndarray:
    """The class of each label that is more probable than all others together, (B,) int64; −1 where none is, or nothing is known."""
    if not len(labels):
        return np.zeros(0, np.int64)
    values = np.nan_to_num(Classification.stack(labels))
    return np.where(values.max(1) > 0.5, values.argmax(1), -1).astype(np.int64)


def head(features: int, space: Space, *, dim: int = 128, neck: str = "none", loss: str = "proxy_anchor") -> Vectors:
    """The head that embeds; see `Vectors`."""
    check_space(space, "Classification", exclusive=True)
    return Vectors(features, len(space), dim=dim, neck=neck, loss=loss)

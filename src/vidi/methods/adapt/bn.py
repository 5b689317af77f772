"""Batch-norm statistics of the new pictures, mixed with those of the training (Schneider et al. 2020, arXiv:2006.16971; Nado et al. 2020,
arXiv:2006.10963)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from vidi.core.net import Net
from vidi.methods.adapt._base import Adapter, Changes, Pictures, between, need_batch_norm, need_pictures
from vidi.methods.adapt._norms import Statistics, moved, settling

FEW = 32
"""Fewer pictures than this say little about the new conditions."""


@dataclass(frozen=True)
class BatchNorm(Adapter):
    """Running means and variances become N / (N + n) of what they were and n / (N + n) of those of the n new pictures.

    One pass over the pictures: each layer normalizes a batch by the mixture of old statistics and the batch's, so that the layers behind
    it see their inputs as the adapted net will give them, and what is kept is counted over all pictures.

    Args:
        prior: N, as how many pictures the statistics of the training weigh.
    """

    name: ClassVar[str] = "bn"
    prior: float = 16.0

    def __post_init__(self) -> None:
        between(0, 1e9, prior=self.prior)

    def check(self, net: Net) -> None:
        need_batch_norm(net)

    def adapt(self, net: Net, pictures: Pictures) -> Changes:
        self.check(net)
        need_pictures(pictures)
        before = Statistics.of(net)
        unseen = restate(net, pictures, before, self.prior)
        layers = moved(before, Statistics.of(net))
        notes = [f"statistics of {len(layers) - len(unseen)} batch norms from {len(pictures)} pictures, those of the training weighing as {self.prior:g}"]
        if unseen:
            notes.append(f"left as they were, as no picture comes through them: {', '.join(unseen[:5])}{' …' if len(unseen) > 5 else ''}")
        if len(pictures) < FEW:
            notes.append(f"{len(pictures)} pictures are few: the statistics of the training still weigh {self.prior / (self.prior + len(pictures)):.0%}")
        return Changes([layer for layer in layers if layer.layer not in unseen], notes=notes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def restate(net: Net, pictures: Pictures, source: Statistics, prior: float, indices: np.ndarray | None = None, epoch: int = 0) -> list[str]:
    """Let batch norms hold the statistics of pictures mixed with those of the training.

    Args:
        source: the statistics of the training.
        prior: as how many pictures they weigh.
        indices: of the pictures; None: all.

    Returns:
        the batch norms that nothing came through.
    """
    order = pictures.order(epoch, indices)
    own = prior / (prior + len(order))  # Schneider et al. 2020, eq. 3
    with settling(net, source, own) as tallies:
        for inputs in pictures.shown(order, "statistics"):
            net(inputs)
    source.mixed(tallies, own).put(net)
    return [name for name, tally in tallies.items() if tally.count < 2]


def adapter(*, prior: float = 16.0) -> BatchNorm:
    """See `BatchNorm`."""
    return BatchNorm(prior)

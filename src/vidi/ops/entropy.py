"""How undecided raw outputs are, by their declared kinds, without a word of truth: what test-time adaptation lowers and watches."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Raw = Mapping[str, Tensor]

POSSIBLE = 0.25
"""Where things are looked for at many places, those with at least this probability are the undecided ones; the others are ground."""


def deciding(kinds: Mapping[str, str]) -> str | None:
    """The first declared raw output that holds chances of classes (``categorical`` or ``bernoulli``); None: there is none."""
    return next((name for name, kind in kinds.items() if kind in ("categorical", "bernoulli")), None)


def entropy(raw: Raw, kinds: Mapping[str, str]) -> Tensor:
    """The entropy of each sample's prediction as a share of the largest possible, (B,) in 0..1, differentiable.

    * ``categorical`` (B, C, …): of the softmax over dim 1, a mean over places (Shannon 1948; Wang et al. 2021, arXiv:2006.10726).
    * ``bernoulli`` (B, C): of each class's yes or no, a mean over classes.
    * ``bernoulli`` with places (B, …, …): the same over the chances of at least `POSSIBLE`; 0 where there are none. Thousands of
      places that show nothing would otherwise outvote the few that show something.

    Raises:
        ValueError: no raw output has an entropy.
    """
    name = _needed(kinds)
    logits = raw[name].float()
    if kinds[name] == "categorical":
        logs = logits.log_softmax(1)
        found = -(logs.exp() * logs).sum(1) / math.log(max(2, logits.shape[1]))
        return found.flatten(1).mean(1) if found.ndim > 1 else found
    values = _binary(logits).flatten(1)
    if logits.ndim < 3:
        return values.mean(1)
    counted = (logits.detach().sigmoid() >= POSSIBLE).flatten(1)
    return (values * counted).sum(1) / counted.sum(1).clamp_min(1)


def mean_prediction(raw: Raw, kinds: Mapping[str, str]) -> tuple[Tensor, Tensor]:
    """What all samples of a batch say together: the mean chances (C,), and how often each class is the top one (C,), both without
    gradient. Of ``bernoulli`` outputs the first are the chances of yes by class (with places: of all together, (1,)), and the second
    is empty: none excludes the others.

    Raises:
        ValueError: no raw output has chances.
    """
    name = _needed(kinds)
    logits = raw[name].detach().float()
    if kinds[name] == "categorical":
        rows = logits.transpose(0, 1).flatten(1)  # (C, B × places)
        top = torch.bincount(rows.argmax(0), minlength=len(rows)).float() / max(1, rows.shape[1])
        return rows.softmax(0).mean(1), top
    chances = logits.sigmoid()
    return chances.mean(0) if chances.ndim == 2 else chances.mean().view(1), chances.new_zeros(0)


def spread(chances: Tensor, exclusive: bool) -> float:
    """The entropy of mean chances (C,) as a share of the largest possible, 0..1: 0 when all samples are taken for the same.

    Args:
        exclusive: they sum to one; else each is that of a yes.
    """
    if exclusive:
        found = -(chances * chances.clamp_min(1e-12).log()).sum() / math.log(max(2, len(chances)))
    else:
        found = _binary(chances.clamp(1e-7, 1 - 1e-7).logit()).mean()
    return float(found)


def _needed(kinds: Mapping[str, str]) -> str:
    name = deciding(kinds)
    if name is None:
        raise ValueError(f"no raw output has an entropy: {dict(kinds)}")
    return name


def _binary(logits: Tensor) -> Tensor:
    """The entropy of coins in bits, from their logits."""
    return -(logits.sigmoid() * F.logsigmoid(logits) + (-logits).sigmoid() * F.logsigmoid(-logits)) / math.log(2)

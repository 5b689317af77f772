"""Two questions about raw outputs that need no truth: how far apart are two, and how strongly does one support what the other
decided.

Both read what each raw output is from the net's declared kinds, so distillation, quantization checks, export parity, label-free
attacks, consistency and explanation work for every net without knowing its task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Raw = Mapping[str, Tensor]


def divergence(a: Raw, b: Raw, kinds: Mapping[str, str]) -> Tensor:
    """How far raw output `b` is from `a`, per sample: (B,) float, 0 for equal outputs (exactly), differentiable in both.

    The sum over the declared outputs of a distance in that output's own terms, each averaged over positions:

    * ``categorical`` (B, C, …): KL(softmax a ‖ softmax b) in nats over dim 1. KL, not a distance of logits, because adding a
      constant to all logits changes nothing, and not cross-entropy, because that is not zero for equal outputs.
    * ``bernoulli`` (B, …): KL between the coins that sigmoid(a) and sigmoid(b) describe.
    * ``euclidean`` (B, …): mean squared difference.
    * ``vector`` (B, D, …): 1 − cosine over dim 1, computed as half the squared distance of the unit vectors, which is the
      same number but exactly 0 for equal vectors.
    * ``aux`` takes no part in the decision and is left out.

    `a` is the reference (teacher, original, clean picture). Half-precision inputs are compared in float32.

    Raises:
        ValueError: an unknown kind, an output that is missing, or shapes that differ.
    """
    return _total(a, b, kinds, _DISTANCES)


def evidence(raw: Raw, reference: Raw, kinds: Mapping[str, str]) -> Tensor:
    """How strongly `raw` supports what `reference` decided, per sample: (B,) float, differentiable in `raw` alone.

    The gradient of minus the loss vanishes for a confident classifier (its probability is 1 whatever the pixels do), and
    with it every explanation and attack built on it. Evidence is therefore counted before the squashing:

    * ``categorical`` (B, C, …): the logit of the reference's top class minus the log-sum-exp of the others: its log-odds, whose
      gradient never vanishes. With a single class, the logit itself.
    * ``bernoulli`` (B, …): the logits, with the sign of the reference's decision.
    * ``euclidean`` (B, …): the projection on the reference's direction (on equal parts where the reference is zero).
    * ``vector`` (B, D, …): the cosine over dim 1.
    * ``aux``: left out.

    Each is averaged over positions, and the outputs are summed.

    Raises:
        ValueError: an unknown kind, an output that is missing, or shapes that differ.
    """
    return _total(raw, {name: value.detach() for name, value in reference.items()}, kinds, _SUPPORTS)


def _total(a: Raw, b: Raw, kinds: Mapping[str, str], measures: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> Tensor:
    """The sum over outputs of a measure per kind, (B,)."""
    total = None
    for name, kind in kinds.items():
        if kind == "aux":
            continue
        if kind not in measures:
            raise ValueError(f"kind of {name!r}: expected one of {', '.join(measures)}, aux; got {kind!r}")
        if name not in a or name not in b:
            raise ValueError(f"raw output {name!r} is declared {kind} but missing")
        first, second = _float(a[name]), _float(b[name])
        if first.shape != second.shape:
            raise ValueError(f"raw output {name!r}: shapes {tuple(first.shape)} and {tuple(second.shape)} differ")
        part = measures[kind](first, second)
        total = part if total is None else total + part
    if total is None:
        like = next(iter(a.values()), torch.zeros(0))
        return torch.zeros(len(like), device=like.device)
    return total


def _float(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _mean(values: Tensor) -> Tensor:
    """The mean over all dims but the first, (B,); 0 where there is nothing."""
    flat = values.flatten(1) if values.ndim > 1 else values[:, None]
    return flat.mean(1) if flat.shape[1] else flat.sum(1)


def _categorical_distance(a: Tensor, b: Tensor) -> Tensor:
    log_a, log_b = a.log_softmax(1), b.log_softmax(1)
    return _mean((log_a.exp() * (log_a - log_b)).sum(1))


def _bernoulli_distance(a: Tensor, b: Tensor) -> Tensor:
    heads = a.sigmoid() * (F.logsigmoid(a) - F.logsigmoid(b))
    return _mean(heads + (-a).sigmoid() * (F.logsigmoid(-a) - F.logsigmoid(-b)))


def _euclidean_distance(a: Tensor, b: Tensor) -> Tensor:
    return _mean((a - b).square())


def _vector_distance(a: Tensor, b: Tensor) -> Tensor:
    return _mean((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1) / 2)


def _categorical_support(raw: Tensor, reference: Tensor) -> Tensor:
    if raw.shape[1] == 1:
        return _mean(raw)
    top = reference.argmax(1, keepdim=True)
    others = raw.scatter(1, top, float("-inf")).logsumexp(1)
    return _mean(raw.gather(1, top).squeeze(1) - others)


def _bernoulli_support(raw: Tensor, reference: Tensor) -> Tensor:
    return _mean(torch.where(reference >= 0, raw, -raw))


def _euclidean_support(raw: Tensor, reference: Tensor) -> Tensor:
    raw, reference = (values.flatten(1) if values.ndim > 1 else values[:, None] for values in (raw, reference))
    zero = (reference == 0).all(1, keepdim=True)
    return (raw * F.normalize(torch.where(zero, torch.ones_like(reference), reference), dim=1)).sum(1)


def _vector_support(raw: Tensor, reference: Tensor) -> Tensor:
    return _mean((F.normalize(raw, dim=1) * F.normalize(reference, dim=1)).sum(1))


_DISTANCES = {
    "categorical": _categorical_distance,
    "bernoulli": _bernoulli_distance,
    "euclidean": _euclidean_distance,
    "vector": _vector_distance,
}
_SUPPORTS = {
    "categorical": _categorical_support,
    "bernoulli": _bernoulli_support,
    "euclidean": _euclidean_support,
    "vector": _vector_support,
}

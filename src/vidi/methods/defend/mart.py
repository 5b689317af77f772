"""MART: attacked pictures must be right by a margin, and outputs must not move under attack, the less so the surer they should be (Wang et
al. 2020, *Improving Adversarial Robustness Requires Revisiting Misclassified Examples*). For pictures of exactly one class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.loop import Loop
from vidi.errors import InputError
from vidi.labels import Label
from vidi.methods.defend._base import Work
from vidi.methods.defend._objective import AdversarialTraining, Weighed

SURE = 1.0001
"""Keeps the logarithm of one minus a probability finite, as in the authors' code."""


class Margins(Weighed):
    """``boosted`` cross-entropy of attacked pictures, with the log of one minus the best wrong class's probability, plus `beta` times the
    divergence between clean and attacked outputs, weighed by one minus the clean probability of the true class (``robust``)."""

    name = "mart"

    def aimed(self, loop: Loop, batch: Batch, draw: Draw) -> Batch:
        deciding(loop.net)
        decisions(batch.labels, 1)
        return self.climb(loop, batch, draw, beside=True)

    def lowered(self, loop: Loop, batch: Batch, attacked: Batch) -> dict[str, Tensor]:
        key = deciding(loop.net)
        clean, moved = (loop.module(one.inputs)[key].float() for one in (batch, attacked))
        return mart(clean, moved, torch.from_numpy(decisions(batch.labels, clean.shape[1])).to(clean), self.beta)


def mart(clean: Tensor, moved: Tensor, truth: Tensor, beta: float) -> dict[str, Tensor]:
    """The two parts, each (B,), of logits (B, C) on clean and on attacked pictures; 0 where the class is not known.

    Args:
        truth: (B, C) probability of each class, NaN where unknown; the most probable one counts.
    """
    known = ~truth.isnan().all(1)
    classes = truth.nan_to_num(-1.0).argmax(1, keepdim=True)
    log_clean, log_moved = clean.log_softmax(1), moved.log_softmax(1)
    wrong = log_moved.exp().scatter(1, classes, -1.0).amax(1)
    boosted = -log_moved.gather(1, classes).squeeze(1) - (SURE - wrong).log()
    distance = (log_clean.exp() * (log_clean - log_moved)).sum(1)
    doubt = 1 - log_clean.gather(1, classes).squeeze(1).exp()
    return {"boosted": torch.where(known, boosted, 0.0), "robust": torch.where(known, beta * distance * doubt, 0.0)}


def deciding(net: Net) -> str:
    """The raw output that holds a number for each of the classes that exclude each other.

    Raises:
        InputError: there is none.
    """
    keys = [key for key, kind in net.kinds.items() if kind != "aux"]
    if len(keys) != 1 or net.kinds[keys[0]] != "categorical":
        raise _refused()
    return keys[0]


def decisions(labels: Sequence[Label | None], classes: int) -> np.ndarray:
    """How far each class holds, (B, C) float32, NaN where it is not known.

    Raises:
        InputError: labels that say something else.
    """
    rows = [label.decision() for label in labels if label is not None]
    known = [row for row in rows if row is not None]
    if len(known) < len(labels):
        raise _refused()
    return np.stack(known) if known else np.zeros((0, classes), np.float32)


def _refused() -> InputError:
    return InputError("mart weighs pictures by the probability of their one class, which these labels do not have", at="method", value="mart",
                      fix="method=trades or method=pgd, which work on any loss")  # fmt: skip


class Mart(AdversarialTraining):
    """See `Margins` and `Adversarial` for the settings."""

    name: ClassVar[str] = "mart"
    lowers = Margins

    def check(self, work: Work) -> None:
        super().check(work)
        deciding(work.net)
        decisions([label for label in work.dataset.labels if label is not None], 0)


def defense(*, beta: float = 5.0, steps: int = 10, step: float | str | None = None, ramp: float = 0.0, awp: float = 0.0) -> Mart:
    """The method.

    Args:
        beta: weight of the second part; the paper has 5.
        steps, step, ramp, awp: see `vidi.methods.defend._objective.Adversarial`.
    """
    return Mart(beta=beta, steps=steps, step=step, ramp=ramp, awp=awp)

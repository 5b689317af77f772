"""Steps in front of the net that wash changes out of pictures, judged by an attacker who knows of them.

Guo et al. 2018, *Countering adversarial images using input transformations*, arXiv:1711.00117; and Athalye, Carlini and Wagner 2018, *Obfuscated
gradients give a false sense of security*, arXiv:1802.00420, who showed that an attack through the steps mostly undoes the gain. The steps have
the gradient of the picture that comes in where they have none of their own, so every attack on the purified model goes through them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from vidi.core.seeds import Draw
from vidi.engine.evaluate import make_loader
from vidi.engine.infer import to_float
from vidi.errors import InputError
from vidi.methods.defend._ascent import tells
from vidi.methods.defend._base import Defense, Findings, Work, between
from vidi.model import Model
from vidi.nets.enhance._steps import calls_of, set_steps, split_steps

STEPS = 20
"""Of the attack by one who does not know of the steps."""


@dataclass
class Purify(Defense):
    """See `defense`."""

    steps: str = "jpeg"
    pictures: int = 200
    name: ClassVar[str] = "purify"

    def check(self, work: Work) -> None:
        between(1, 1_000_000, pictures=self.pictures)
        if not split_steps(self.steps):
            raise InputError("no steps to purify by", at="steps", value=self.steps, fix="purify(steps=jpeg(quality=75)+median), see `vidi list enhancements`")
        self.harden(work)

    def harden(self, work: Work) -> Model:
        net = copy.deepcopy(work.net)
        set_steps(net, [*calls_of(net), self.steps])
        card = work.model.card.model_copy(update={"enhance": calls_of(net)})
        return Model(net, card, device=str(work.device), reports=work.model.reports)

    def findings(self, work: Work, model: Model) -> Findings:
        """How many pictures fool the purified model that were made for the bare one, beside the report's own number, which knows of the steps."""
        right, fooled = self._unaware(work, model)
        share = float(fooled[right].mean()) if right.any() else None
        note = "an attacker who does not know of the steps is not what to prepare for: the verdict is by attacks through them"
        if share is not None:
            note = f"made for the model without the steps, attacked pictures fool {share:.3f} of {int(right.sum())}; " + note
        return Findings({"after.fooled_unaware": share}, n={"after.fooled_unaware": int(right.sum())}, notes=[note])

    def _unaware(self, work: Work, model: Model) -> tuple[np.ndarray, np.ndarray]:
        """By picture, (n,) bool: judged right when clean; and judged otherwise after PGD on the bare net."""
        part = work.dataset.split(work.split)
        part = part.with_samples([sample for sample in part.samples if sample.label is not None][: self.pictures])
        known = [sample.label for sample in part.samples if sample.label is not None]
        leeway = type(known[0]).leeway(known) if known and tells(work.net) else None
        loader = make_loader(part, model.preprocess, work.batch, cache="none")
        right: list[bool] = []
        fooled: list[bool] = []
        try:
            for batch in loader.batches(np.arange(len(part))):
                batch = to_float(batch, work.device)
                images, labels = batch.inputs["image"], [label for label in batch.labels if label is not None]
                draw = Draw.samples(work.seed, 0, batch.indices, work.device)
                changed = work.attack(work.net, images, labels if tells(work.net) else None, STEPS, draw)
                with torch.no_grad():
                    before, after = (model.net.decode(model.net({**batch.inputs, "image": shown})) for shown in (images, changed))
                truth = labels if tells(work.net) else before
                right += [not label.contradicts(found, leeway) for label, found in zip(truth, before)]
                fooled += [label.contradicts(found, leeway) for label, found in zip(truth, after)]
        finally:
            loader.store.close()
        return np.array(right, bool), np.array(fooled, bool)


def defense(*, steps: str = "jpeg", pictures: int = 200) -> Purify:
    """The method.

    Args:
        steps: calls of `vidi list enhancements`, such as ``jpeg(quality=75)+median``.
        pictures: how many are attacked without knowledge of the steps, for comparison.
    """
    return Purify(steps, pictures)

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

from vidi.errors import InputError
from vidi.methods.defend._base import Defense, Findings, Work
from vidi.model import Model
from vidi.nets.enhance._steps import calls_of, set_steps, split_steps


@dataclass
class Purify(Defense):
    """See `defense`."""

    steps: str = "jpeg"
    name: ClassVar[str] = "purify"

    def check(self, work: Work) -> None:
        if not split_steps(self.steps):
            raise InputError("no steps to purify by", at="steps", value=self.steps, fix="purify(steps=jpeg(quality=75)+median), see `vidi list enhancements`")
        self.harden(work)

    def harden(self, work: Work) -> Model:
        net = copy.deepcopy(work.net)
        set_steps(net, [*calls_of(net), self.steps])
        card = work.model.card.model_copy(update={"enhance": calls_of(net), "alarm": None})
        return Model(net, card, device=str(work.device), reports=work.model.reports)

    def findings(self, work: Work, model: Model) -> Findings:
        """How many pictures fool the purified model that were made for the bare one, beside the report's own number, which knows of the steps."""
        if work.transfer is None:
            return Findings()
        right, fooled = (np.array(flags, bool) for flags in work.transfer(model))
        count = int(right.sum())
        share = float(fooled[right].mean()) if count else None
        note = "an attacker who does not know of the steps is not what to prepare for: the verdict is by attacks through them"
        if share is not None:
            note = f"made for the model without the steps, attacked pictures fool {share:.3f} of {count}; " + note
        return Findings({"after.fooled_unaware": share}, n={"after.fooled_unaware": count}, notes=[note])


def defense(*, steps: str = "jpeg") -> Purify:
    """The method.

    Args:
        steps: calls of `vidi list enhancements`, such as ``jpeg(quality=75)+median``.
    """
    return Purify(steps)

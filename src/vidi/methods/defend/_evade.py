"""An attacker who knows of an alarm: pictures that mislead a net and do not raise it.

O. Bryniarski, N. Hingun, P. Pachuca, V. Wang and N. Carlini, Evading adversarial example detection defenses with orthogonal projected gradient
descent, ICLR 2022, arXiv:2106.15023. A picture that does not fool yet climbs what fools; one that does and is suspect goes down the alarm. First
each goes along its own gradient (selective descent); what has not got through begins anew, along the part of the gradient that is at right angles to
the other's, so that neither gives up what the other has won (orthogonal descent).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.engine.alarm import SUSPICION, Watched
from vidi.engine.held import held
from vidi.engine.infer import to_float
from vidi.labels import Label
from vidi.methods.defend._ascent import Rise, distance_from, loss_of, near, tells
from vidi.methods.defend._base import Budget
from vidi.ops.projection import steepest, to_levels

TINY = 1e-12
REACH = 2.5
"""All steps together, in sizes of the budget."""


def evade(
    net: Watched, batch: Batch, labels: Sequence[Label], threshold: float, budget: Budget, draw: Draw, *, steps: int = 50, leeway: np.ndarray | None = None
) -> Tensor:  # fmt: skip
    """Which pictures get through, (B,) bool: after rounding to 8 bits they contradict their label and are not suspect.

    Args:
        net: on the pictures' device.
        batch: clean pictures (B, 3, H, W) uint8, and the net's other inputs.
        labels: the truth on the canvas, or what the net says of the clean pictures.
        threshold: suspicion above which a picture is suspect.
        budget: of the attacker.
        draw: randomness, one row per picture.
        steps: of each search.
        leeway: see `Label.contradicts`.
    """
    ready = to_float(batch, draw.device)
    through = torch.zeros(len(labels), dtype=torch.bool, device=draw.device)
    with held(net):
        away = None if tells(net) else _apart(net, ready)

        def goal(rows: Tensor, truth: Sequence[Label]) -> Rise:
            return loss_of(net, truth) if away is None else distance_from(net, {name: value[rows] for name, value in away.items()})

        for beside in (False, True):
            current = near(ready.inputs["image"], draw)
            for turn in range(steps + 1):
                left = (~through).nonzero().squeeze(1)
                if not len(left):
                    break
                inputs = {name: value[left] for name, value in ready.inputs.items()}
                truth, clean = [labels[i] for i in left.tolist()], inputs["image"]
                shown = to_levels(current[left], batch.inputs["image"].to(left.device)[left], budget.norm, budget.size)
                raw, up, loud = _slopes(net, inputs, shown.float() / 255, goal(left, truth))
                fooled = torch.tensor([label.contradicts(found, leeway) for label, found in zip(truth, net.decode(raw))], device=left.device)
                through[left] = fooled & (raw[SUSPICION] <= threshold)
                if turn < steps:
                    climb, sink = (_beside(up, loud), _beside(loud, up)) if beside else (up, loud)
                    toward = steepest(torch.where(fooled.view(-1, 1, 1, 1), -sink, climb), budget.norm, current[left])
                    current[left] = budget.project(current[left] + REACH * budget.size / steps * toward, clean)
    return through


def _apart(net: Watched, batch: Batch) -> dict[str, Tensor]:
    """Raw outputs for the clean pictures."""
    with torch.no_grad():
        return net(batch.inputs)


def _slopes(net: Watched, inputs: dict[str, Tensor], images: Tensor, rise: Rise) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Raw outputs, and the gradients of what fools and of the alarm, both (B, 3, H, W), zero where they are not finite."""
    with torch.enable_grad():
        leaf = images.requires_grad_(True)
        raw = net({**inputs, "image": leaf})
        up = torch.autograd.grad(rise(raw).sum(), leaf, retain_graph=True)[0]
        loud = torch.autograd.grad((raw[SUSPICION] + TINY).log().sum(), leaf)[0]
    return {name: value.detach() for name, value in raw.items()}, up.nan_to_num(0, 0, 0), loud.nan_to_num(0, 0, 0)


def _beside(gradient: Tensor, other: Tensor) -> Tensor:
    """The part of a gradient at right angles to another, picture by picture."""
    flat, along = gradient.flatten(1), torch.nn.functional.normalize(other.flatten(1), dim=1)
    return (flat - (flat * along).sum(1, keepdim=True) * along).view_as(gradient)

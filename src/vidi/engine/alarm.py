"""An alarm for pictures that were tampered with: how far a net's answers move when small changes are washed out.

W. Xu, D. Evans and Y. Qi, Feature squeezing: detecting adversarial examples in deep neural networks, NDSS 2018, arXiv:1704.01155. Distances are
those of the raw outputs' declared kinds, so that the alarm works for every net.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vidi.core.net import Net
from vidi.core.wrapped import Wrapped
from vidi.nets.enhance._steps import make_step
from vidi.ops.divergence import divergence

SUSPICION = "suspicion"


class Watched(Wrapped):
    """A net with one more raw output, ``suspicion`` (B,): the farthest that its outputs move under any of the squeezers, 0 or more.

    Everything else is the net's own. The squeezers have gradients, so an attacker can see through the alarm.

    Args:
        net: on its device.
        steps: calls of `vidi list enhancements`, each of which squeezes the pictures by itself.

    Raises:
        ChoiceError, RecipeError: no such step, or settings it refuses.
    """

    def __init__(self, net: Net, steps: Sequence[str]):
        super().__init__(net)
        self.steps = list(steps)
        device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
        self.squeezers = nn.ModuleList(make_step(step) for step in steps).to(device)
        self.kinds = {**net.kinds, SUSPICION: "aux"}

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        raw = self.net(inputs)
        moved = [divergence(raw, self.net({**inputs, "image": squeeze(inputs["image"])}), self.net.kinds) for squeeze in self.squeezers]
        return {**raw, SUSPICION: torch.stack(moved).amax(0)}

    def stages(self) -> dict[str, nn.Module]:
        return {**self.net.stages(), "squeezers": self.squeezers}

"""Which stages learn, and when: freezing, linear probe, gradual unfreezing."""

from __future__ import annotations

from vidi.core.net import Net
from vidi.core.recipe import Recipe
from vidi.nets._transfer import TOPS


class Thaw:
    """Opens stages as a run goes on.

    For the first `probe` share of the run only the head learns, and what lies between it and the backbone (a neck); then, over the
    `unfreeze` share, stages open one by one from there toward the input (Howard and Ruder 2018). Frozen stages keep their batch
    statistics as well.
    """

    def __init__(self, net: Net, recipe: Recipe):
        self.probe, self.unfreeze, self.freeze_bn = recipe.probe, recipe.unfreeze, recipe.freeze_bn
        stages = [stage for stage in net.stages().values() if any(True for _ in stage.parameters())]
        self.stages = [stage for stage in stages if any(p.requires_grad for p in stage.parameters())]
        self.forever = [stage for stage in stages if stage not in self.stages]
        self.tops = max(1, sum(name in TOPS and stage in self.stages for name, stage in net.stages().items()))
        self.parameters = [[p for p in stage.parameters() if p.requires_grad] for stage in self.stages]
        self.open = len(self.stages)

    def count(self, share: float) -> int:
        """How many stages learn, counted from the head, at a share of the run."""
        if share < self.probe:
            return self.tops
        if self.unfreeze <= 0 or share >= self.probe + self.unfreeze:
            return len(self.stages)
        done = (share - self.probe) / self.unfreeze
        return min(len(self.stages), self.tops + int(done * (len(self.stages) - self.tops + 1)))

    def apply(self, share: float) -> None:
        """Let the right stages learn at this share of the run."""
        wanted = self.count(share)
        if wanted == self.open:
            return
        for i, parameters in enumerate(reversed(self.parameters)):
            for p in parameters:
                p.requires_grad_(i < wanted)
                if i >= wanted:
                    p.grad = None
        self.open = wanted

    def modes(self, net: Net) -> None:
        """Frozen stages in evaluation mode; with `freeze_bn` every batch norm too."""
        for stage in self.forever:
            stage.eval()
        for stage in self.stages[: len(self.stages) - self.open]:
            stage.eval()
        if self.freeze_bn:
            from torch.nn.modules.batchnorm import _BatchNorm

            for module in net.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

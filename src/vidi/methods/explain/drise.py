"""RISE for one thing among many: masked pictures count by how alike their most similar candidate is, in place, class and confidence
(Petsiuk et al. 2021, arXiv:2006.03204)."""

from __future__ import annotations

from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.methods.explain._target import Target
from vidi.methods.explain.rise import Rise


class DRise(Rise):
    """Masks are finer than those of RISE; see `Rise` for the settings, and `vidi.methods.explain._things` for the similarity."""

    name = "drise"

    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        if not target.thing:
            raise InputError("drise explains one thing among several, and these predictions have no things", at="method", value=self.name, fix="method=rise")
        return super().relevance(net, images, target, draw)


def explainer(*, steps: int = 1024, cells: int = 16, share: float = 0.5, fill: str = "black") -> DRise:
    """The method; see `Rise` for the settings."""
    return DRise(steps, cells, share, fill)

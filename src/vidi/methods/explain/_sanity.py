"""Whether an explanation depends on what the net has learned: with random weights it must look different (Adebayo et al. 2018, *Sanity
Checks for Saliency Maps*, arXiv:1810.03292)."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw, sample_keys
from vidi.engine.held import held
from vidi.methods.explain._base import Explainer
from vidi.methods.explain._target import Target

MOST = 0.8
"""Maps whose rank correlation stays above this did not change."""
PICTURES = 8


@dataclass(frozen=True, slots=True)
class Sanity:
    """
    Args:
        stages: the mean rank correlation (Spearman) of the maps with those of the net whose stages from the last one down to this were
            given random weights, by stage; the last one is that of a wholly random net.
        pictures: looked at.
    """

    stages: dict[str, float]
    pictures: int

    @property
    def correlation(self) -> float | None:
        """With a wholly random net; None without pictures."""
        return list(self.stages.values())[-1] if self.stages and self.pictures else None

    @property
    def passed(self) -> bool:
        return self.correlation is not None and self.correlation <= MOST

    @property
    def verdict(self) -> str:
        if self.correlation is None:
            return "not checked"
        return "depends on the weights" if self.passed else "fails: random weights give the same map"


def check(
    explainer: Explainer, net: Net, images: Tensor, target: Target, draw: Draw, *, maps: Tensor | None = None, cascade: bool = True, seed: int = 0
) -> Sanity:  # fmt: skip
    """Explain the same pictures with random weights.

    Args:
        net: that `target` reads; stays as it is.
        images: (B, 3, H, W) in 0..1.
        target: what is explained.
        draw: one row per picture.
        maps: those of the net itself, made with `draw`; None: they are made.
        cascade: stage by stage from the last one down; else all at once.
        seed: of the random weights.
    """
    if not len(images):
        return Sanity({}, 0)
    before = explainer.maps(net, images, target, draw) if maps is None else maps
    other = copy.deepcopy(net)
    names = [name for name, stage in other.stages().items() if next(stage.parameters(), None) is not None][::-1]
    found = {}
    for i, name in enumerate(names):
        randomize(other.stages()[name], seed + i)
        if cascade or i == len(names) - 1:
            settle(other, target, images)
            found[name if cascade else "all"] = float(np.mean(correlations(before, explainer.maps(other, images, target.on(other), draw))))
    return Sanity(found, len(images))


@torch.no_grad()
def randomize(module: torch.nn.Module, seed: int) -> None:
    """Give a module's weights random values with their own mean and spread: what was learned is lost, the size of outputs is not."""
    for i, parameter in enumerate(module.parameters()):
        spread = parameter.std(correction=0) if parameter.numel() > 1 else parameter.abs().mean()
        noise = Draw(sample_keys(seed, i, torch.zeros(1, dtype=torch.int64))).normal(*parameter.shape)[0].to(parameter)
        parameter.copy_((parameter.mean() if parameter.ndim < 2 else 0) + spread * noise)


@torch.no_grad()
def settle(net: Net, target: Target, images: Tensor) -> None:
    """Let batch norms take over the statistics of these pictures, which other weights made others."""
    norms = [module for module in net.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.track_running_stats]
    with held(net):
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
            norm.train(len(images) > 1 or isinstance(norm, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)))
        try:
            target.on(net).outputs(images)
        except ValueError:
            return
        finally:
            for norm, momentum in zip(norms, momenta):
                norm.momentum = momentum


def correlations(a: Tensor, b: Tensor) -> np.ndarray:
    """Rank correlation (Spearman) of maps (B, H, W), one per picture, (B,); 0 where one is constant."""
    from scipy.stats import rankdata

    first, second = (rankdata(maps.flatten(1).double().cpu().numpy(), axis=1) for maps in (a, b))
    first, second = (ranks - ranks.mean(1, keepdims=True) for ranks in (first, second))
    length = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), length, out=np.zeros(len(first)), where=length > 0)

"""Spatial pooling: (B, C, H, W) to (B, C·factor). One class per name; sizes of any parity, 1×1 included."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidi.core.calls import parse_call
from vidi.errors import ChoiceError, RecipeError, nearest


class Avg(nn.Module):
    """Mean over positions (Lin et al. 2014, arXiv:1312.4400)."""

    factor = 1

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Max(nn.Module):
    """Largest value over positions."""

    factor = 1

    def forward(self, x: Tensor) -> Tensor:
        return x.amax((2, 3))


class AvgMax(nn.Module):
    """Half the mean plus half the maximum."""

    factor = 1

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * (x.mean((2, 3)) + x.amax((2, 3)))


class CatAvgMax(nn.Module):
    """Mean and maximum side by side: twice the width."""

    factor = 2

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


class GeM(nn.Module):
    """Generalized mean (mean of xᵖ)^(1/p) with learned p, from 1 (mean) toward the maximum (Radenović et al. 2018, arXiv:1711.02512).

    Negative values count as zero, as in the paper, whose features come after a ReLU.
    """

    factor = 1

    def __init__(self, p: float = 3.0):
        super().__init__()
        self.p = nn.Parameter(torch.tensor([float(p)]))

    def forward(self, x: Tensor) -> Tensor:
        p = self.p.clamp(1.0, 32.0)
        x = x.float().clamp_min(1e-6)
        top = x.amax((2, 3), keepdim=True)
        return top[:, :, 0, 0] * (x / top).pow(p).mean((2, 3)).pow(1 / p)


class LogSumExp(nn.Module):
    """Smooth maximum (1/r)·log mean exp(r·x) with learned r (Pinheiro and Collobert 2015, arXiv:1411.6228)."""

    factor = 1

    def __init__(self, r: float = 5.0):
        super().__init__()
        self.r = nn.Parameter(torch.tensor([float(r)]))

    def forward(self, x: Tensor) -> Tensor:
        r = self.r.clamp(0.1, 100.0)
        count = torch.tensor(float(x.shape[2] * x.shape[3]), device=x.device).log()
        return ((x.float() * r).flatten(2).logsumexp(2) - count) / r


class SoftPool(nn.Module):
    """Mean weighted by the softmax of the values over positions (Stergiou et al. 2021, arXiv:2101.00440)."""

    factor = 1

    def forward(self, x: Tensor) -> Tensor:
        flat = x.float().flatten(2)
        return (flat * flat.softmax(2)).sum(2)


class Attentive(nn.Module):
    """Mean weighted by a learned map over positions (Ilse et al. 2018, arXiv:1802.04712); starts as the plain mean."""

    factor = 1

    def __init__(self, channels: int):
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)
        for parameter in self.score.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.score(x).float().flatten(2).softmax(2)
        return (x.float().flatten(2) * weight).sum(2)


class Stripes(nn.Module):
    """Mean over each of `count` horizontal stripes, side by side from top to bottom: what things that stand upright look like, part by
    part (Sun et al. 2018, arXiv:1711.09349). A row of the map that two stripes cut counts in both, by its share."""

    def __init__(self, count: int = 6):
        super().__init__()
        if count < 1:
            raise RecipeError("at least one stripe", at="pool", value=count)
        self.factor = count

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        rows, cuts = torch.arange(height, device=x.device)[:, None], torch.arange(self.factor, device=x.device) * (height / self.factor)
        share = (torch.minimum(rows + 1, cuts + height / self.factor) - torch.maximum(rows, cuts)).clamp_min(0)
        return (x.float().mean(3) @ (share / share.sum(0))).flatten(1)


POOLS = {
    "attentive": Attentive,
    "avg": Avg,
    "avgmax": AvgMax,
    "catavgmax": CatAvgMax,
    "gem": GeM,
    "lse": LogSumExp,
    "max": Max,
    "soft": SoftPool,
    "stripes": Stripes,
}


def create_pool(text: str, channels: int) -> tuple[nn.Module, int]:
    """The pooling of a name, with settings if wanted (``stripes(count=4)``), and how many features it gives.

    Raises:
        ChoiceError: no such pooling.
        RecipeError: settings that it does not have or refuses.
    """
    name, settings = parse_call(text, "pool")
    if name not in POOLS:
        close = nearest(name, POOLS)
        raise ChoiceError(
            "no such pooling",
            at="pool",
            value=name,
            fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(POOLS)}",
        )
    kind = POOLS[name]
    given = {"channels": channels} if kind is Attentive else {}
    try:
        pool = kind(**given, **settings)
    except TypeError as error:
        raise RecipeError(f"the pooling refuses its settings: {error}", at="pool", value=text) from error
    return pool, channels * pool.factor

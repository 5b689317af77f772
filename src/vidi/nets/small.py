"""A fast net for small pictures (8 to 96 pixels): airbench94 and, with depth 3, airbench96.

Design: Jordan 2024, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*, arXiv:2404.00498, after Page's and Balsam's speed runs; published
under MIT. Written anew from the paper. Two million parameters at the default widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.nets.blocks.backbone import Backbone, halve
from vidi.nets.blocks.pooled import Pooled

MOST_PATCHES = 1_000_000


class Whiten(nn.Module):
    """A 2×2 convolution that decorrelates patches, with fixed weights (a buffer) and a trained bias.

    Filters are the eigenvectors of the patches' covariance divided by √(eigenvalue + eps), and their negatives.
    """

    weight: Tensor

    def __init__(self, in_channels: int, size: int = 2, eps: float = 5e-4):
        super().__init__()
        self.eps = eps
        self.out_channels = 2 * in_channels * size * size
        directions = torch.linalg.qr(torch.randn(self.out_channels // 2, self.out_channels // 2)).Q
        self.register_buffer("weight", torch.cat([directions, -directions]).view(-1, in_channels, size, size))
        self.bias = nn.Parameter(torch.zeros(self.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Weights from the patches of a batch (B, C, H, W). Directions in which patches never vary get zero weights."""
        size = self.weight.shape[-1]
        patches = F.unfold(x.float(), size).transpose(1, 2).flatten(0, 1)
        patches = patches[:: max(1, len(patches) // MOST_PATCHES)].double()
        values, vectors = torch.linalg.eigh(patches.T.cov(correction=0))
        scale = (values + self.eps).rsqrt() * (values > 1e-6 * values.max())
        filters = (vectors * scale).T.flip(0).view(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters, -filters]))


class _Norm(nn.BatchNorm2d):
    """Batch normalization with a trained bias and a fixed scale of one."""

    def __init__(self, channels: int):
        super().__init__(channels, momentum=0.4)
        del self.weight
        self.register_buffer("weight", torch.ones(channels))


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    """Same-size convolution whose first filters pass their input through."""
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    with torch.no_grad():
        nn.init.dirac_(conv.weight[: min(inputs, outputs)])
    return conv


class _Block(nn.Module):
    """Convolution, halving, and one more convolution (depth 2) or a residual pair (depth 3)."""

    def __init__(self, inputs: int, outputs: int, depth: int):
        super().__init__()
        self.convs = nn.ModuleList(_conv(inputs if i == 0 else outputs, outputs) for i in range(depth))
        self.norms = nn.ModuleList(_Norm(outputs) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norms[0](halve(self.convs[0](x))))
        if len(self.convs) == 2:
            return F.gelu(self.norms[1](self.convs[1](x)))
        inner = F.gelu(self.norms[1](self.convs[1](x)))
        return F.gelu(x + self.norms[2](self.convs[2](inner)))


class Small(Backbone):
    """Maps at strides 2, 4, 8, … for each width; see `net` for the arguments."""

    def __init__(self, widths: Sequence[int] = (64, 256, 256), depth: int = 2, whiten: bool = True, in_channels: int = 3, whiten_eps: float = 5e-4):
        super().__init__()
        if depth not in (2, 3):
            raise RecipeError("2 or 3 convolutions per block", at="depth", value=depth)
        if not widths or min(widths) < 1:
            raise RecipeError("at least one width, each positive", at="widths", value=tuple(widths))
        first = Whiten(in_channels, eps=whiten_eps)
        inputs = first.out_channels
        self.stem = first if whiten else nn.Conv2d(in_channels, inputs, 2)
        self.blocks = nn.ModuleList()
        for width in widths:
            self.blocks.append(_Block(inputs, width, depth))
            inputs = width
        self.channels, self.strides = tuple(widths), tuple(2 ** (i + 1) for i in range(len(widths)))
        self.points = {f"blocks.{i}": width for i, width in enumerate(widths)}

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.gelu(self.stem(x))
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def stages(self) -> dict[str, nn.Module]:
        return {"stem": self.stem} | {f"block{i + 1}": block for i, block in enumerate(self.blocks)}

    def prepare(self, x: Tensor) -> None:
        if isinstance(self.stem, Whiten):
            self.stem.fit(x)


def backbone(
    *, widths: Sequence[int] = (64, 256, 256), depth: int = 2, whiten: bool = True, whiten_eps: float = 5e-4, in_channels: int = 3
) -> Small:
    """See `net`."""
    return Small(widths, depth, whiten, in_channels, whiten_eps)


def net(
    space: Space,
    head: str,
    *,
    widths: Sequence[int] = (64, 256, 256),
    depth: int = 2,
    whiten: bool = True,
    whiten_eps: float = 5e-4,
    scale: float | None = None,
    attention: str | None = None,
    pool: str = "max",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        widths: channels of each block; every block halves the picture. airbench96 has (128, 384, 384).
        depth: convolutions per block, 2 (airbench94) or 3 with a residual connection (airbench96).
        whiten: first layer fixed to whiten the training pictures' patches (`prepare`); else an ordinary convolution.
        whiten_eps: added to the patches' variances, so that directions which hold little but noise stay small; the paper's value suits
            pictures stored without loss, 0.02 those stored as JPEG.
        scale: factor on the pooled features before the softmax layer; 1/9 when None. Other heads ignore it.
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    options = dict(head_options or {})
    if head == "softmax":
        options = {"bias": False, "scale": 1 / 9 if scale is None else scale} | options
    body = backbone(widths=widths, depth=depth, whiten=whiten, whiten_eps=whiten_eps, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=options
    )

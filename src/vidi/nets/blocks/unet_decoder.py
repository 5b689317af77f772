"""The expanding path of a U-Net on any backbone's maps, with the picture itself as the last skip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.nets.blocks.pixels import PixelHead, PixelNeck, classifier, conv_unit, enlarged


class AttentionGate(nn.Module):
    """A skip, weighed place by place by what the coarser map looks for (Oktay et al. 2018, *Attention U-Net*, arXiv:1804.03999).

    Args:
        skip: channels of the finer map.
        gate: channels of the coarser one.
    """

    def __init__(self, skip: int, gate: int):
        super().__init__()
        inner = max(1, skip // 2)
        self.skip, self.gate = nn.Conv2d(skip, inner, 1, bias=False), nn.Conv2d(gate, inner, 1)
        self.score = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        there = self.skip(F.adaptive_avg_pool2d(skip, (gate.shape[2], gate.shape[3])))
        weight = self.score(F.relu(there + self.gate(gate))).sigmoid()
        return skip * enlarged(weight, skip)


class UpBlock(nn.Module):
    """A coarse map narrowed, enlarged, beside a finer one, mixed by two 3×3 convolutions.

    Narrowing comes before enlarging: the 1×1 convolution costs little there, and the 3×3 one behind it less.

    Args:
        inputs: channels of the coarse map.
        skip: channels of the finer one.
        outputs: channels that come out.
        gated: the finer map passes an attention gate.
    """

    def __init__(self, inputs: int, skip: int, outputs: int, gated: bool = False):
        super().__init__()
        self.narrow = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs > outputs else None
        self.gate = AttentionGate(skip, inputs) if gated else None
        self.mix = nn.Sequential(conv_unit(min(inputs, outputs) + skip, outputs), conv_unit(outputs, outputs))

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        skip = skip if self.gate is None else self.gate(skip, coarse)
        coarse = coarse if self.narrow is None else self.narrow(coarse)
        return self.mix(torch.cat([F.interpolate(coarse, size=skip.shape[2:], mode="nearest"), skip], 1))


class Decoder(PixelNeck):
    """Maps from fine to coarse, one per block.

    Args:
        channels, strides: the backbone's.
        widths: channels of the blocks, the last one's first: fine to coarse.
        in_channels: channels of the picture.
        finest: stride of the last block, 1 or 2.
        gated: skips pass attention gates; the picture's own does not.

    The picture's own pixels are a skip of the last block, as they are at stride 1 and as 2×2 patches at stride 2, unless the backbone has
    seen them at that stride already.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], widths: Sequence[int], in_channels: int, finest: int, gated: bool
    ):
        super().__init__()
        self.finest = finest
        self.own = finest == 2 or finest not in strides
        places = block_strides(strides, finest)
        inputs, blocks = channels[-1], []
        for stride, outputs in zip(reversed(places), reversed(widths)):
            skip = channels[list(strides).index(stride)] if stride in strides else 0
            patch = in_channels * finest**2 if self.own and stride == finest else 0
            blocks.append(UpBlock(inputs, skip + patch, outputs, gated and skip > 0 and not patch))
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.skips = [list(strides).index(stride) if stride in strides else None for stride in reversed(places)]

    def forward(self, maps: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        done, found = maps[-1], []
        for i, (block, place) in enumerate(zip(self.blocks, self.skips)):
            parts = [] if place is None else [maps[place]]
            if self.own and i == len(self.blocks) - 1:
                own = F.pixel_unshuffle(x, 2) if self.finest == 2 else x
                parts = [_sized(part, own) for part in parts] + [own]
            done = block(done, parts[0] if len(parts) == 1 else torch.cat(parts, 1))
            found.append(done)
        return found[::-1]


def _sized(x: Tensor, like: Tensor) -> Tensor:
    """Maps of another's size: some backbones lose a row and column at their first convolution."""
    return x if x.shape[2:] == like.shape[2:] else F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


def block_strides(strides: Sequence[int], finest: int) -> list[int]:
    """Where a decoder has blocks, fine to coarse: at the backbone's strides below the coarsest, and at the finest."""
    return sorted({finest, *(stride for stride in strides[:-1] if stride >= finest)})


class Head(PixelHead):
    """Logits of the finest map, and of further ones for deep supervision.

    At stride 2 each place gives the logits of its four pixels (Shi et al. 2016, *Sub-Pixel Convolution*, arXiv:1609.05158), all alike at first.

    Args:
        channels: of the decoder's maps, fine to coarse; those after the first are auxiliary.
        classes: number of classes.
        finest: stride of the first map, 1 or 2.
    """

    def __init__(self, channels: Sequence[int], classes: int, finest: int):
        super().__init__()
        self.finest = finest
        self.score = classifier(channels[0], classes * finest**2)
        if finest == 2:
            with torch.no_grad():
                self.score.weight.copy_(self.score.weight[::4].repeat_interleave(4, 0))
        self.aux = nn.ModuleList(classifier(width, classes) for width in channels[1:])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        logits = self.score(maps[0])
        logits = F.pixel_shuffle(logits, 2) if self.finest == 2 else logits
        return [logits, *(score(level) for score, level in zip(self.aux, maps[1:]))]

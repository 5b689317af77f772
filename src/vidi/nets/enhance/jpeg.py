"""JPEG compression inside the model: fine patterns that the eye does not miss are dropped (Das et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidi.errors import InputError
from vidi.ops.jpeg import jpeg
from vidi.ops.straight import straight_through


class Jpeg(nn.Module):
    """RGB pictures through 8-bit JPEG; pictures of other channels stay as they are. See `enhance`."""

    def __init__(self, quality: int):
        super().__init__()
        self.quality = quality

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != 3 or not len(x):
            return x
        quality = torch.full((len(x),), float(self.quality), device=x.device)
        return straight_through(x, jpeg(x.detach(), quality).to(x.dtype))


def enhance(*, quality: int = 75) -> nn.Module:
    """Compress and decompress. The gradient is that of the picture as it came in.

    N. Das et al., SHIELD: fast, practical defense and vaccination for deep learning using JPEG compression, KDD 2018, arXiv:1802.06816.

    Args:
        quality: 1 to 100, as libjpeg means it.

    Raises:
        InputError: a setting out of range.
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise InputError("expected a whole number from 1 to 100", at="jpeg(quality)", value=quality)
    return Jpeg(quality)

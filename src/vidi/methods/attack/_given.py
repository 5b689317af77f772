"""Pictures that were attacked before, to see what they do to another net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from vidi.core.seeds import Draw
from vidi.methods.attack._base import Attack, Budget
from vidi.methods.attack._goal import Goal


class Given(Attack):
    """Searches nothing: each picture becomes what was made of it for another net.

    Args:
        pictures: (H, W, 3) uint8, in the order of the data set that they were made from.
    """

    name = "given"
    norms: ClassVar[tuple[str, ...]] = ()

    def __init__(self, pictures: Sequence[np.ndarray]):
        self.pictures = pictures

    def search(self, net: nn.Module, images: Tensor, goal: Goal, budget: Budget, draw: Draw) -> Tensor:
        pixels = np.stack([self.pictures[i] for i in draw.indices.tolist()])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(images.device, images.dtype) / 255

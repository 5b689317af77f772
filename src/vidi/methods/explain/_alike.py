"""Which pixels of a picture make its vector like a given one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.methods.explain._pictures import overlay
from vidi.methods.explain._score import PAIRS, Scores, score
from vidi.methods.explain._target import Raw, Target
from vidi.methods.explain.occlusion import Occlusion


class Likeness(Target):
    """The cosine of a raw output with a vector of one's own for each picture, −1..1.

    Args:
        net: whose raw outputs are read.
        key: the output, (B, D).
        vectors: (B, D).
        words: what is explained of each picture, for people.
    """

    row_fields: ClassVar[tuple[str, ...]] = ("vectors",)

    def __init__(self, net: Net, key: str, vectors: Tensor, words: Sequence[str]):
        super().__init__(net, words)
        self.key, self.vectors = key, vectors

    def __call__(self, raw: Raw) -> Tensor:
        return torch.nn.functional.cosine_similarity(raw[self.key].float(), self.vectors, dim=1)


def alike(net: Net, key: str, canvas: np.ndarray, vector: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, dict[str, Any]]:
    """The picture under the relevance of its pixels for the likeness to a vector (occlusion), and how far to trust that.

    Args:
        net: in evaluation mode, on its device.
        key: the raw output that is compared, (B, D).
        canvas: (H, W, 3) uint8, as the net sees it.
        vector: (D,).
        seed: of the random maps.

    Returns:
        (H, W, 3) uint8, and by name the likeness, deletion, insertion and the same by random maps, the gain, its interval and the verdict.
    """
    device = next(net.parameters()).device
    images = torch.from_numpy(canvas).to(device).permute(2, 0, 1)[None].float() / 255
    target = Likeness(net, key, torch.from_numpy(vector).to(device).float()[None], ["likeness"])
    draw, scores = Draw.samples(seed, 0, np.arange(1), device), Scores()
    maps = Occlusion().maps(net, images, target, draw)
    scores.add(score(net, images, maps, target, draw, rivals=PAIRS), 1)
    gain, interval = scores.gain(seed)
    facts = {"likeness": float(target.look(images)[0]), **{name: scores.mean(name) for name in scores.areas}, "gain": gain}
    return overlay(canvas, maps[0].cpu().numpy()), {**facts, "interval": interval, "verdict": scores.verdict(seed)}

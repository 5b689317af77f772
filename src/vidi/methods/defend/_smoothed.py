"""A classifier that answers by vote over noisy copies of a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.core.wrapped import Wrapped
from vidi.engine.held import held
from vidi.ops import certify

AT_ONCE = 256
"""Noisy copies in one pass."""


def deciding(net: Net) -> str | None:
    """The raw output whose largest number is the class, where exactly one holds for a picture; else None."""
    keys = [key for key, kind in net.kinds.items() if kind == "categorical"]
    one = net.space.family == net.predicts.family == "Classification" and net.space.exclusive
    return keys[0] if one and len(keys) == 1 else None


@dataclass(frozen=True)
class Smoothed:
    """The smoothed classifier of a net.

    Args:
        net: with one categorical raw output (`deciding`), on the pictures' device.
        key: that output.
        sigma: standard deviation of the noise, in units of the pixel range 0..1.
        alpha: chance that an answer or a certificate is wrong.
    """

    net: Net
    key: str
    sigma: float
    alpha: float = 0.001

    @torch.no_grad()
    def votes(self, images: Tensor, draw: Draw, count: int) -> np.ndarray:
        """How often each class came first, (B, C) int64, in `count` noisy copies of pictures (B, 3, H, W) in 0..1.

        Copies are not cut to 0..1, as the certificate is about noise without bounds.
        """
        classes = len(self.net.space)
        counts = torch.zeros(len(images), classes, dtype=torch.int64)
        if not len(images):
            return counts.numpy()
        each = max(1, AT_ONCE // len(images))
        with held(self.net):
            for start in range(0, count, each):
                copies = min(each, count - start)
                noisy = torch.cat([images + self.sigma * draw.normal(*images.shape[1:]) for _ in range(copies)])
                tops = self.net({"image": noisy})[self.key].argmax(1).view(copies, len(images)).cpu()
                counts += F.one_hot(tops, classes).sum(0)
        return counts.numpy()

    def predict(self, images: Tensor, draw: Draw, count: int = 1000) -> np.ndarray:
        """Classes (B,) int64; −1 where the vote is too close."""
        return certify.predict(self.votes(images, draw, count), self.alpha)

    def certify(self, images: Tensor, draw: Draw, count: int = 1000, first: int = 100) -> tuple[np.ndarray, np.ndarray]:
        """Classes (B,) int64 and radii (B,): within this Euclidean distance, in units of the pixel range, the answer cannot change, save
        with probability `alpha`. −1 and 0 where nothing can be said.

        Args:
            draw: randomness, one row per picture.
            count: noisy copies that bound the probability of a class.
            first: others that choose the class.
        """
        chosen, bounded = (self.votes(images, draw.child(name), many) for name, many in (("first", first), ("bound", count)))
        return certify.certify(chosen, bounded, self.sigma, self.alpha)


class Averaged(Wrapped):
    """What stands for the vote where gradients are needed: the mean of class probabilities over a few noisy copies of a picture.

    The noise is the same for every picture and at every call, so that nothing is hidden from an attacker: what it sees is what is judged
    (Salman et al. 2019, arXiv:1906.04584, attack this mean, with fresh noise).

    Args:
        net, key, sigma: see `Smoothed`.
        copies: how many.
        seed: of the noise.
    """

    def __init__(self, net: Net, key: str, sigma: float, copies: int, seed: int = 0):
        super().__init__(net)
        self.key, self.sigma, self.copies, self.seed = key, sigma, copies, seed
        self._noise = torch.zeros(0)

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The net's raw outputs, mean over copies; `key` holds logarithms of mean probabilities."""
        image = inputs["image"]
        if self._noise.shape[1:] != image.shape[1:] or self._noise.device != image.device:
            self._noise = self.sigma * Draw.samples(self.seed, 0, torch.arange(self.copies), image.device).normal(*image.shape[1:])
        each = [self.net({**inputs, "image": image + noise}) for noise in self._noise]
        logs = torch.stack([raw[self.key].log_softmax(1) for raw in each]).logsumexp(0) - math.log(self.copies)
        return {name: torch.stack([raw[name] for raw in each]).mean(0) for name in each[0]} | {self.key: logs}

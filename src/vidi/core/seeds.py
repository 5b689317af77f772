"""Randomness that belongs to a sample, not to a worker, a batch or the order of calls.

Numbers come from a counter-based generator (SplitMix64 finalizer, Steele, Lea and Flood 2014) keyed by run seed, epoch and
sample, so a picture is augmented the same way whatever batch or worker it lands in, and a resumed run needs no state.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64
_MIX1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = x + _GOLDEN
    x = (x ^ _shift(x, 30)) * _MIX1
    x = (x ^ _shift(x, 27)) * _MIX2
    return x ^ _shift(x, 31)


def _name_key(name: str) -> int:
    return zlib.crc32(name.encode()) + 1


class Draw:
    """Random numbers for a batch of B samples; row b depends only on key b and on the calls made.

    Args:
        keys: (B,) int64, one per sample; see `sample_keys`.

    Every call advances a counter, so two calls give different numbers. `child(name)` opens an independent stream.
    """

    def __init__(self, keys: Tensor):
        self.keys = keys
        self._calls = 0

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def device(self) -> torch.device:
        return self.keys.device

    def child(self, name: str) -> Draw:
        """An independent stream for the same samples, the same for the same name."""
        return Draw(_mix(self.keys ^ _name_key(name)))

    def to(self, device: torch.device | str) -> Draw:
        moved = Draw(self.keys.to(device))
        moved._calls = self._calls
        return moved

    def bits(self, *shape: int) -> Tensor:
        """Random int64, (B, *shape)."""
        self._calls += 1
        stream = _mix(self.keys + self._calls * 1000003)
        count = math.prod(shape)
        counter = torch.arange(count, device=self.keys.device, dtype=torch.int64)
        return _mix(stream[:, None] + counter * _MIX1).view(len(self), *shape)

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        """Uniform float32 in [low, high), (B, *shape)."""
        unit = _shift(self.bits(*shape), 40).to(torch.float32) * (1.0 / (1 << 24))
        return unit * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal float32, (B, *shape), by Box and Muller."""
        first, second = self.uniform(0, 1, *shape), self.uniform(0, 1, *shape)
        return (-2 * (1 - first).clamp_min(1e-12).log()).sqrt() * (2 * math.pi * second).cos()

    def integers(self, high: int, *shape: int) -> Tensor:
        """Integers in 0..high−1, int64, (B, *shape)."""
        return (self.uniform(0, 1, *shape) * high).long().clamp_max(high - 1)

    def chance(self, p: float, *shape: int) -> Tensor:
        """True with probability p, (B, *shape)."""
        return self.uniform(0, 1, *shape) < p


def sample_keys(seed: int, epoch: int, indices: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Keys for `Draw`: (B,) int64 from the run's seed, the epoch and each sample's index in its data set."""
    index = torch.as_tensor(indices, dtype=torch.int64, device=device)
    base = _mix(torch.tensor([seed], dtype=torch.int64, device=device))
    return _mix(_mix(base + epoch) + index * _GOLDEN)


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of samples in one epoch, (count,) int64, a pure function of its arguments."""
    return np.random.Generator(np.random.Philox(key=[seed % 2**63, epoch])).permutation(count)


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and random, for the few places that use their global state (dropout, initial weights)."""
    import random

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)

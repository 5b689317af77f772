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
    for bits, factor in ((30, _MIX1), (27, _MIX2), (31, 1)):
        x ^= (x >> bits).bitwise_and_((1 << (64 - bits)) - 1)
        x *= factor
    return x


def _name_key(name: str) -> int:
    return zlib.crc32(name.encode()) + 1


class Draw:
    """Random numbers for a batch of B samples; row b depends only on key b and on the calls made.

    Args:
        keys: (B,) int64, one per sample; see `sample_keys`.
        epoch: the running epoch, for what alternates between epochs.
        indices: (B,) int64, the samples' places in their data set, for what is the same in every epoch; None: `keys`.

    Every call advances a counter, so two calls give different numbers. `child(name)` opens an independent stream.
    """

    def __init__(self, keys: Tensor, *, epoch: int = 0, indices: Tensor | None = None):
        self.keys, self.epoch, self.indices = keys, epoch, keys if indices is None else indices.to(keys.device)
        self._calls = 0

    @classmethod
    def samples(cls, seed: int, epoch: int, indices: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Draw:
        """The stream of one epoch for the samples at these places of their data set."""
        return cls(sample_keys(seed, epoch, indices, device), epoch=epoch, indices=torch.as_tensor(indices))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: Tensor) -> Draw:
        """The stream of some of the samples, chosen by a mask or by indices."""
        part = Draw(self.keys[rows], epoch=self.epoch, indices=self.indices[rows])
        part._calls = self._calls
        return part

    @property
    def device(self) -> torch.device:
        return self.keys.device

    def child(self, name: str) -> Draw:
        """An independent stream for the same samples, the same for the same name."""
        return Draw(_mix(self.keys ^ _name_key(name)), epoch=self.epoch, indices=self.indices)

    def to(self, device: torch.device | str) -> Draw:
        moved = Draw(self.keys.to(device), epoch=self.epoch, indices=self.indices)
        moved._calls = self._calls
        return moved

    def bits(self, *shape: int) -> Tensor:
        """Random int64, (B, *shape)."""
        self._calls += 1
        stream = _mix(self.keys + self._calls * 1000003)
        count = math.prod(shape)
        counter = torch.arange(count, device=self.keys.device, dtype=torch.int64)
        return _mix(stream[:, None] + counter * _MIX1).view(len(self), *shape)

    def _units(self, count: int) -> tuple[Tensor, Tensor]:
        """Two independent float32 in [0, 1), each (B, count), from the two ends of the same random int64."""
        bits = self.bits(count)
        scale = 1.0 / (1 << 24)
        return _shift(bits, 40).to(torch.float32).mul_(scale), (bits & 0xFFFFFF).to(torch.float32).mul_(scale)

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        """Uniform float32 in [low, high), (B, *shape)."""
        count = math.prod(shape)
        unit = torch.cat(self._units((count + 1) // 2), dim=1)[:, :count].reshape(len(self), *shape)
        return unit * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal float32, (B, *shape), by Box and Muller."""
        count = math.prod(shape)
        first, second = self._units((count + 1) // 2)
        radius, angle = (1 - first).log_().mul_(-2).sqrt_(), second.mul_(2 * math.pi)
        return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :count].reshape(len(self), *shape)

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

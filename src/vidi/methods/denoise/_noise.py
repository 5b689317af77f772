"""Noise that a denoiser learns from, and the two halves of a noisy picture that let it learn without a clean one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.ops import noise

SHOT_CHANCE = 0.5
FAINT = 1e-4
NEIGHBORS = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2))
"""Places in a cell of 2×2 pixels, in reading order, that share a side."""


@dataclass(frozen=True, slots=True)
class Sigma:
    """The range of noise that is trained on.

    Args:
        low, high: standard deviations in units of the pixel range 0..1.
    """

    low: float
    high: float

    @classmethod
    def parse(cls, text: str | float) -> Sigma:
        """``0-50/255``, ``0.1-0.2``, or one strength.

        Raises:
            InputError: not a range, or out of 0..1.
        """
        numbers, slash, whole = str(text).partition("/")
        low, dash, high = numbers.partition("-")
        try:
            unit = 1 / float(whole) if slash else 1.0
            found = cls(float(low) * unit, float(high if dash else low) * unit)
        except (ValueError, ZeroDivisionError):
            raise InputError("not a range of noise", at="sigma", value=text, fix="LOW-HIGH in units of the pixel range, such as 0-50/255 or 0.05-0.2") from None
        if not 0 <= found.low <= found.high <= 1 or found.high == 0:
            raise InputError("noise lies in 0..1, the lower strength first", at="sigma", value=text, fix=f"{text}/255, if levels were meant")
        return found

    def add(self, clean: Tensor, draw: Draw) -> Tensor:
        """Pictures with noise of a random strength each: half of them with Gaussian noise, half with a mix of that and shot noise."""
        strength = draw.uniform(self.low, self.high) if self.high > self.low else torch.full((len(draw),), self.high, device=draw.device)
        share = torch.where(draw.chance(SHOT_CHANCE), draw.uniform(), 0.0)
        return mixed(clean, strength, share, draw)


def mixed(clean: Tensor, strength: Tensor, shot: Tensor, draw: Draw) -> Tensor:
    """Noise with a standard deviation of `strength` (B,) on mid-gray, a share `shot` (B,) of whose variance is photon noise."""
    photons = 0.5 / (strength * shot.sqrt()).clamp_min(FAINT) ** 2
    out = torch.where((shot > 0).view(-1, 1, 1, 1), noise.shot(clean, photons, draw.normal(*clean.shape[1:])), clean)
    return noise.gaussian(out, strength * (1 - shot).sqrt(), draw.normal(*clean.shape[1:]))


def neighbors(images: Tensor, choice: Tensor) -> tuple[Tensor, Tensor]:
    """Two pictures (B, C, H/2, W/2) out of one (B, C, H, W) with even sides: of each cell of 2×2 pixels, two that share a side (Huang et al.
    2021, *Neighbor2Neighbor*, arXiv:2101.02824).

    Args:
        choice: (B, H/2, W/2) int64 in 0..7, which two; see `NEIGHBORS`.
    """
    b, c, h, w = images.shape
    cells = images.view(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 2, 4, 3, 5).reshape(b, c, h // 2, w // 2, 4)
    places = torch.tensor(NEIGHBORS, device=images.device)[choice]  # (B, h, w, 2)
    picked = cells.gather(4, places[:, None].expand(b, c, h // 2, w // 2, 2))
    return picked[..., 0], picked[..., 1]

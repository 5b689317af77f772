"""Whether an explanation says anything: the picture's most relevant pixels are taken away, or shown first, and the target is watched; beside
it the same by random maps of equal smoothness."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.methods.explain._aim import blurred
from vidi.methods.explain._base import copies
from vidi.methods.explain._target import Target

STEPS = 16
PAIRS = 8
"""At least so many comparisons with a random map are made for a set of pictures."""
RESAMPLES, LEVEL = 1000, 0.95
NAMES = ("deletion", "insertion", "random_deletion", "random_insertion")
BETTER, NO_BETTER = "better than random", "no better than random"


@dataclass(slots=True)
class Scores:
    """Areas under curves, one row for each pair of a picture and a random map: 0..1, in shares of the range that the target spans over the
    four curves of the pair. Taking away (deletion) is good when the area is small, showing (insertion) when it is large.

    Args:
        areas: by name, a value per pair.
        pictures: looked at.
    """

    areas: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    pictures: int = 0

    def add(self, found: dict[str, np.ndarray], pictures: int) -> None:
        for name in NAMES:
            self.areas[name] += found[name].tolist()
        self.pictures += pictures

    def mean(self, name: str) -> float | None:
        """The mean area; None without pictures."""
        return float(np.mean(self.areas[name])) if self.areas[name] else None

    def gains(self) -> np.ndarray:
        """By how much each pair's map beats its random map, −1..1: half of what deletion is lower plus half of what insertion is higher."""
        part = {name: np.array(values, np.float64) for name, values in self.areas.items()}
        return (part["random_deletion"] - part["deletion"] + part["insertion"] - part["random_insertion"]) / 2

    def gain(self, seed: int = 0) -> tuple[float | None, tuple[float, float] | None]:
        """The mean gain and its bootstrap interval over pairs; None without pictures."""
        gains = self.gains()
        if not len(gains):
            return None, None
        draws = np.random.default_rng(seed).integers(0, len(gains), (RESAMPLES, len(gains)))
        low, high = np.quantile(gains[draws].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(gains.mean()), (float(low), float(high))

    def verdict(self, seed: int = 0) -> str:
        """Whether the interval of the gain lies above zero."""
        _, interval = self.gain(seed)
        return BETTER if interval is not None and interval[0] > 0 else NO_BETTER


def repeats(pictures: int) -> int:
    """Random maps per picture."""
    return max(1, -(-PAIRS // max(1, pictures)))


@torch.no_grad()
def score(net: Net, images: Tensor, maps: Tensor, target: Target, draw: Draw, *, steps: int = STEPS, rivals: int = 1) -> dict[str, np.ndarray]:
    """Areas of the curves of maps and of random maps beside them, see `Scores`.

    Args:
        net: that `target` reads.
        images: (B, 3, H, W) in 0..1.
        maps: (B, H, W) relevance.
        target: of these pictures.
        draw: one row per picture.
        steps: equal portions of the pixels.
        rivals: random maps per picture.

    Returns:
        by name of `NAMES`, (B · rivals,), picture by picture.
    """
    if not len(images):
        return {name: np.zeros(0) for name in NAMES}
    own = draw.child("random map")
    with held(net):
        mine = curves(images, maps, target, steps)
        others = [curves(images, like(maps, own), target, steps) for _ in range(rivals)]
    both = torch.stack([torch.cat([mine, other], 1) for other in others], 1)  # (B, rivals, 4, steps + 1)
    low, high = both.amin((2, 3), keepdim=True), both.amax((2, 3), keepdim=True)
    shares = torch.where(high > low, (both - low) / (high - low).clamp_min(1e-12), 0.5)
    areas = torch.trapezoid(shares, dx=1 / steps, dim=3).flatten(0, 1).cpu().numpy()
    return {name: areas[:, i].astype(np.float64) for i, name in enumerate(NAMES)}


def curves(images: Tensor, maps: Tensor, target: Target, steps: int) -> Tensor:
    """The target while the most relevant pixels are blurred, and while they are shown on the blurred picture: (B, 2, steps + 1)."""
    count, area = len(images), images.shape[2] * images.shape[3]
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    ranks = torch.zeros_like(order).scatter(1, order, torch.arange(area, device=maps.device).expand(count, -1)).view(count, 1, *maps.shape[1:])
    far, rows = blurred(images), torch.arange(count, device=images.device)
    jobs = [(way, step) for way in (0, 1) for step in range(steps + 1)]
    values, each = [], copies(images)
    for start in range(0, len(jobs), each):
        part = jobs[start : start + each]
        shown = []
        for way, step in part:
            first = ranks < round(step * area / steps)
            shown.append(torch.where(first, far, images) if way == 0 else torch.where(first, images, far))
        values.append(target[rows.repeat(len(part))].look(torch.cat(shown)).view(len(part), count))
    return torch.cat(values).view(2, steps + 1, count).permute(2, 0, 1)


def like(maps: Tensor, draw: Draw) -> Tensor:
    """Random maps with the amplitude of each frequency of given ones, hence as smooth, (B, H, W)."""
    noise = torch.fft.fft2(draw.normal(*maps.shape[1:]).to(maps.device))
    return torch.fft.ifft2(torch.fft.fft2(maps).abs() * noise / noise.abs().clamp_min(1e-12)).real

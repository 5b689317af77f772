"""Strengths of published corruptions: five severities, with one table for small pictures and one for larger ones.

The tables that callers bring are those of CIFAR-10-C (pictures of 32 pixels) and ImageNet-C (224 pixels), Hendrycks and Dietterich
2019, *Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*, arXiv:1903.12261.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Table = Sequence[Sequence[float]]

SMALL_SIDE = 64
"""Pictures whose shorter side is at most this long take the table for small pictures."""


def is_small(size: tuple[int, int]) -> bool:
    """Whether a picture of (height, width) takes the table for small pictures."""
    return min(size) <= SMALL_SIDE


def length_scale(size: tuple[int, int]) -> float:
    """By what lengths in pixels are multiplied: as published at 32 and 224 pixels, in proportion for pictures of other sides, and never
    more than published for pictures above 224 pixels, as in COCO-C (Michaelis et al. 2019, arXiv:1907.07484)."""
    return min(size) / 32 if is_small(size) else min(1.0, min(size) / 224)


def graded(severity: Tensor, size: tuple[int, int], small: Table, large: Table) -> list[Tensor]:
    """The parameters at a severity (B,) of 1..5 for pictures of (height, width): one (B,) for each column of the tables.

    Args:
        small, large: a row of parameters for each of the five severities; between whole severities they are interpolated.
    """
    table = torch.tensor(small if is_small(size) else large, dtype=torch.float32, device=severity.device)
    place = (severity.float() - 1).clamp(0, len(table) - 1)
    below = place.floor().long()
    above = (below + 1).clamp_max(len(table) - 1)
    return list(torch.lerp(table[below], table[above], (place - below)[:, None]).unbind(1))

"""What a severity is: an augmentation whose strength is pinned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vidi.augmentations._fill import GRAY
from vidi.core.augmentation import Augmentation, setting
from vidi.core.seeds import Draw
from vidi.ops.severity import Table, graded

COUNT = 5
SEVERITIES = tuple(range(1, COUNT + 1))


@dataclass(frozen=True)
class Level(Augmentation):
    """One severity of a stress. Subclasses name their parameters by severity, in `SMALL` and `LARGE` (see `vidi.ops.severity`), and override
    a method of an augmentation.

    Args:
        severity: 1..5.
    """

    SMALL: ClassVar[Table] = ()
    LARGE: ClassVar[Table] = ()

    severity: int = setting(1, 1, COUNT)

    def values(self, draw: Draw, size: tuple[int, int]) -> list[Tensor]:
        """The parameters for pictures of (height, width), each (B,)."""
        severity = torch.full((len(draw),), float(self.severity), device=draw.device)
        return graded(severity, size, self.SMALL or self.LARGE, self.LARGE)


@dataclass(frozen=True)
class Moved(Level):
    """A severity that moves pixels. What comes in from outside is gray: a mirrored picture would show things that nobody marked."""

    fill: float = GRAY


def pinned(kind: type[Level]) -> tuple[Augmentation, ...]:
    """The five severities of a stress."""
    return tuple(kind(severity=severity) for severity in SEVERITIES)


def severities(kind: Callable[..., Augmentation]) -> tuple[Augmentation, ...]:
    """The five severities of an augmentation whose settings `low` and `high` are severities."""
    return tuple(kind(p=1.0, low=severity, high=severity) for severity in SEVERITIES)


def one_of(values: Tensor, draw: Draw) -> Tensor:
    """The values (B,), half of them with the other sign."""
    return torch.where(draw.chance(0.5), -values, values)


def column(*values: float) -> Table:
    """A table of one parameter."""
    return tuple((value,) for value in values)

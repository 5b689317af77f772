"""What every neck can do: a backbone's maps to the maps a dense head reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from vidi.errors import RecipeError

FINEST, COARSEST, USUAL = 8, 32, 3


class Neck(nn.Module, ABC):
    """Mixes a backbone's levels.

    Attributes:
        channels: width of each map that comes out, fine to coarse.
        strides: input pixels per cell of each map that comes out.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    @abstractmethod
    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """A backbone's maps, fine to coarse, to maps (B, channels[i], ~H/strides[i], ~W/strides[i])."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which levels a neck works on.

    Args:
        taken: places of the backbone's maps it reads.
        strides: of all levels, those first that are read, then coarser ones that it makes by halving.
    """

    taken: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def made(self) -> int:
        """How many levels are made by halving."""
        return len(self.strides) - len(self.taken)


def plan_levels(strides: Sequence[int], levels: Sequence[int] | None = None, extra: int = 0) -> Plan:
    """The levels for a backbone.

    Args:
        strides: the backbone's, strictly growing.
        levels: the wanted strides; None: those from 8 to 32, where coarse ones that the backbone lacks are made by halving; a
            backbone that stops at 8 or finer (one for small pictures) gives its last three.
        extra: how many more coarse levels are made by halving.

    Raises:
        RecipeError: a wanted stride that the backbone does not have and that halving does not reach.
    """
    strides = tuple(strides)
    if levels is None:
        usual = [i for i, stride in enumerate(strides) if FINEST <= stride <= COARSEST]
        taken = usual if usual and strides[-1] > FINEST else list(range(len(strides)))[-USUAL:]
        wanted = [strides[i] for i in taken]
        while strides[-1] > FINEST and wanted[-1] * 2 <= COARSEST:
            wanted.append(wanted[-1] * 2)
    else:
        wanted = sorted(levels)
        taken = [i for i, stride in enumerate(strides) if stride in wanted]
    wanted += [wanted[-1] * 2 ** (i + 1) for i in range(extra)] if wanted else []
    made = wanted[len(taken) :]
    reached = [strides[taken[-1]] * 2 ** (i + 1) for i in range(len(made))] if taken else []
    if not taken or made != reached:
        raise RecipeError(
            "the backbone does not have these levels", at="levels", value=list(levels or wanted),
            fix=f"some of its strides {', '.join(map(str, strides))}, then doubles of the last one taken",
        )  # fmt: skip
    return Plan(tuple(taken), tuple(wanted))


def resized(x: Tensor, like: Tensor) -> Tensor:
    """The map at another map's height and width, by nearest cell."""
    return x if x.shape[2:] == like.shape[2:] else F.interpolate(x, size=like.shape[2:], mode="nearest")

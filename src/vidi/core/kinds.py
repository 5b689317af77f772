"""What a net's inputs are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pixels:
    """Pictures, (B, channels, H, W) float in 0..1, RGB when channels is 3."""

    channels: int = 3


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids, (B, L) int64 below `vocabulary`; 0 is padding."""

    vocabulary: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """A row of numbers, (B, width) float; NaN is missing."""

    width: int


Kind = Pixels | Tokens | Numbers
_KINDS = {kind.__name__: kind for kind in (Pixels, Tokens, Numbers)}


def kind_to_dict(kind: Kind) -> dict[str, Any]:
    return {"kind": type(kind).__name__, **asdict(kind)}


def kind_from_dict(values: dict[str, Any]) -> Kind:
    arguments = dict(values)
    return _KINDS[arguments.pop("kind")](**arguments)

"""Numbers of the class maps of a data set, in plain JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidi.data._box_facts import parts_of
from vidi.data._look import Looks
from vidi.data._maps import ground_of


def pixels_by_class(looks: Looks) -> dict[str, dict[str, int]]:
    """Pixels of each class, by split."""
    maps, space = looks.maps, looks.dataset.space
    names = space.names if space is not None else ()
    return {name: dict(zip(names, maps.pixels[rows[maps.row]].sum(0).tolist())) for name, rows in parts_of(looks).items()}


def map_facts(looks: Looks) -> dict[str, Any]:
    """Counts and shares."""
    maps, space = looks.maps, looks.dataset.space
    total = int(maps.size.prod(1).sum())
    ground = ground_of(space) if space is not None else None
    only = maps.pixels[:, ground] == maps.size.prod(1) if ground is not None else np.zeros(len(maps), bool)
    return {
        "count": len(maps),
        "pixels": pixels_by_class(looks),
        "unknown_share": int(maps.unknown.sum()) / total if total else 0.0,
        "strange_maps": sum(bool(strange) for strange in maps.strange),
        "empty_maps": int(only.sum()),
        "parts": int(maps.parts.sum()),
        "specks": int(maps.specks.sum()),
    }

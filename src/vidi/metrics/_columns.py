"""Numbers by value, and their mean over the values, for regression."""

from __future__ import annotations

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import mean_defined, names_of


def by_value(name: str, columns: np.ndarray, space: Space) -> dict[str, np.ndarray]:
    """(R, D) numbers by value as ``name`` (mean over the defined values) and, for two values or more, ``name_<value>``."""
    found = {name: mean_defined(columns)}
    if columns.shape[1] > 1:
        found |= {f"{name}_{value}": columns[:, d] for d, value in enumerate(names_of(space, columns.shape[1]))}
    return found


def known_counts(name: str, truth: np.ndarray, space: Space) -> dict[str, int]:
    """How many samples stand behind the numbers of `by_value`."""
    known = ~np.isnan(truth)
    found = {name: int(known.any(1).sum())}
    if truth.shape[1] > 1:
        found |= {f"{name}_{value}": int(known[:, d].sum()) for d, value in enumerate(names_of(space, truth.shape[1]))}
    return found

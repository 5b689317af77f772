"""In another order, and one by one, pictures get the same labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import vidi
from vidi.labels import Label
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

COUNT, TOLERANCE, ALIKE = 12, 1e-3, 0.999


def check(row: Row) -> Found:
    model, pictures = row.model, row.pictures(COUNT)
    order = np.random.default_rng(0).permutation(len(pictures)).tolist()
    whole = vidi.predict(model, pictures).labels
    turned = vidi.predict(model, pictures.with_samples(pictures[i] for i in order)).labels
    single = vidi.predict(model, pictures, batch=1).labels
    apart = [sum(not _same(a, b) for a, b in zip(whole, other)) for other in ([turned[order.index(i)] for i in range(len(order))], single)]
    words = f"{len(whole)} labels; permuted {apart[0]}, one by one {apart[1]} differ"
    return Found(len(whole) == len(pictures) and apart == [0, 0], words, {"labels": len(whole), "permuted_differ": apart[0], "single_differ": apart[1]})


def _same(one: Label | None, other: Label | None) -> bool:
    """Equal up to rounding, which can also turn the class of single pixels."""
    if one is None or other is None:
        return False
    return _near(one.to_dict(), other.to_dict()) or one.agreement(other) > ALIKE


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return one == other

"""The numbers are those that training ended with."""

from __future__ import annotations

import math

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

TOLERANCE = 1e-6


def check(row: Row) -> Found:
    model, primary = row.model, row.task.primary
    numbers, before = vidi.val(model, row.data, split="test", intervals=0).numbers, model.card.numbers["test"]
    apart = [name for name in {**numbers, **before} if not _same(numbers.get(name), before.get(name))]
    value = numbers[primary]
    words = f"{len(numbers)} numbers equal, {primary} {value:.3g}" if not apart and value is not None else f"differ: {', '.join(apart)[:120] or 'none'}"
    return Found(not apart and value is not None, words, {"compared": len(numbers), "differ": len(apart), primary: value})


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)

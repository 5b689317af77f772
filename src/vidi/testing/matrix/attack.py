"""Attacked pictures cost more of the score than noise of equal size, within the budget."""

from __future__ import annotations

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

BUDGET, STEPS, COUNT = "8/255", 7, 32


def check(row: Row) -> Found:
    facts = vidi.attack(row.model, row.some(COUNT), budget=BUDGET, steps=STEPS).extra["attack"]
    clean, noisy, attacked = (facts[name] for name in ("clean", "noisy", "attacked"))
    holds = row.better(noisy, attacked) and row.better(clean, attacked) and facts["exceeded"] == 0
    shown = [f"{value:.3g}" if value is not None else "none" for value in (clean, noisy, attacked)]
    words = f"{facts['primary']} {shown[0]}, noise {shown[1]}, attack {shown[2]}"
    return Found(holds, words, {"clean": clean, "noisy": noisy, "attacked": attacked, "exceeded": facts["exceeded"]})

"""The card gives the share of the clean score that is kept, in all and by family, and names the worst family."""

from __future__ import annotations

import math

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

STRESSES = ["gaussian_noise", "contrast", "rotate", "missing_rows"]
LARGEST = 1.5
"""What helps by chance on a few pictures may keep a little more than all."""


def check(row: Row) -> Found:
    numbers = vidi.robustness(row.model, row.some(48), families=STRESSES, severities=["2"], intervals=0).numbers
    robust = numbers["robust"]
    families = {name.removeprefix("robust_"): value for name, value in numbers.items() if name.startswith("robust_") and value is not None}
    worst = min(families, key=lambda name: families[name], default="none")
    shares = [robust, *families.values()]
    holds = len(families) == len(STRESSES) and all(value is not None and math.isfinite(value) and 0 <= value <= LARGEST for value in shares)
    return Found(holds, f"keeps {robust or 0:.2f}, worst {worst} {families.get(worst, 0):.2f}", {"robust": robust, **{f"robust_{name}": families[name] for name in families}})

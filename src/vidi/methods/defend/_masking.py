"""Whether a defense only hides its gradients: signs that attacks by gradient fail for another reason than robustness (Athalye, Carlini and
Wagner 2018, arXiv:1802.00420; Carlini et al. 2019, arXiv:1902.06705)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vidi.methods.defend._base import Budget

Fooled = Callable[[str, float], tuple[int, int]]
"""An attack, as it is written, and a size → how many of the pictures that did not mislead the model before are fooled, and how many those are."""

STEPS = (1, 10, 50)
WHITE, BLACK = "pgd(steps=50)", "square(steps=300)"
SLACK = 0.02
"""Share of pictures by which a weaker attack may do better, by chance."""
STANDING = 0.1
"""Share of pictures that may stand at a budget that allows everything."""


@dataclass(frozen=True, slots=True)
class Check:
    """One sign.

    Args:
        name: what is asked.
        passed: None where it cannot be asked.
        words: what was seen.
    """

    name: str
    passed: bool | None
    words: str

    @property
    def verdict(self) -> str:
        return {True: "pass", False: "fail", None: "not checked"}[self.passed]


def checks(fooled: Fooled, budget: Budget, values: int, black: bool) -> list[Check]:
    """The three signs.

    Args:
        values: numbers in a picture, channels times pixels.
        black: whether the black-box attack knows the norm.
    """
    counts = {steps: fooled(f"pgd(steps={steps})", budget.size) for steps in STEPS}
    right = counts[STEPS[0]][1]
    names = ("black box not stronger than gradients", "more steps never help the defender", "a budget without limits leaves nothing")
    if not right:
        return [Check(name, None, "no picture is right before the attack") for name in names]
    slack = max(1, math.ceil(SLACK * right))
    white = counts[STEPS[-1]][0]
    found = []
    if black:
        blind = fooled(BLACK, budget.size)[0]
        found.append(Check(names[0], blind <= white + slack, f"{BLACK} fools {blind} of {right}, {WHITE} {white}"))
    else:
        found.append(Check(names[0], None, f"{BLACK} does not know the norm {budget.norm}"))
    grown = all(counts[more][0] >= counts[fewer][0] - slack for fewer, more in zip(STEPS, STEPS[1:]))
    found.append(Check(names[1], grown, ", ".join(f"{counts[steps][0]} of {right} fooled in {steps}" for steps in STEPS) + " steps"))
    size = limitless(budget, values)
    standing = right - fooled(WHITE, size)[0]
    found.append(Check(names[2], standing <= STANDING * right, f"{WHITE} at {budget.norm} {size:g} leaves {standing} of {right} standing"))
    return found


def limitless(budget: Budget, values: int) -> float:
    """A size at which every picture can be turned to plain gray, or twice the budget's if that is more; at most 1 in linf."""
    gray = {"linf": 0.5, "l2": 0.5 * math.sqrt(values), "l1": 0.5 * values}[budget.norm]
    size = max(gray, 2 * budget.size)
    return min(1.0, size) if budget.norm == "linf" else size


def section(found: list[Check]) -> dict[str, Any]:
    """The checks as a table."""
    rows = [[check.name, check.verdict, check.words] for check in found]
    return {"kind": "table", "title": "Are gradients hidden?", "columns": ["check", "verdict", "seen"], "rows": rows,
            "note": "On the defended model. A failed check means that the robust score may be too high."}  # fmt: skip

"""What to do next: the augmentations that the curves call for, as recipe lines, and steps in front of the model that are worth a try."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vidi.methods.stress._choose import Stress
from vidi.methods.stress._kept import Shares

BOUND = 0.9
"""Families of which less is kept get advice."""
MOST = 2
"""Stresses of a family whose remedies are taken."""
PER_PICTURE = 1.0
"""More augmentations than this in one picture, on average, leave little of it."""
STEPS = {
    "gaussian_noise": "nlm", "shot_noise": "nlm", "speckle_noise": "nlm", "impulse_noise": "median",
    "color_cast": "gray_world", "brightness": "gamma", "darkness": "gamma", "overexposure": "gamma", "gamma_dark": "gamma", "gamma_light": "gamma",
    "contrast": "stretch", "fog": "stretch", "shadow": "retinex", "one_sided_light": "clahe",
}  # fmt: skip
"""The step (`vidi list enhancements`) that undoes some of a stress."""
_ORDER = ("median", "nlm", "gray_world", "gamma", "stretch", "retinex", "clahe")
"""Noise goes first, as later steps would lift it; then color; then light."""
_CHANCE = re.compile(r"\bp=([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a family.

    Args:
        kept: share of the clean score.
        worst: the stresses that cost most, with what is kept under each.
        entries: recipe entries.
        steps: all stresses of less than the bound that a step undoes some of, with the step.
    """

    family: str
    kept: float
    worst: tuple[tuple[str, float], ...]
    entries: tuple[str, ...]
    steps: tuple[tuple[str, str], ...] = ()


def advise(shares: Shares, stresses: Sequence[Stress], bound: float = BOUND) -> list[Advice]:
    """Advice for each family of which less than `bound` is kept, the one that loses most first."""
    found = []
    for family, kept in shares.families.items():
        mine = [stress for stress in stresses if stress.family == family]
        if kept.value is None or kept.value >= bound or not mine:
            continue
        lost = sorted(((value, stress) for stress in mine if (value := shares.stresses[stress.name].value) is not None), key=lambda one: one[0])
        worst = [(value, stress) for value, stress in lost if value < bound][:MOST]
        entries = tuple(dict.fromkeys(entry for _, stress in worst for entry in stress.remedy))
        steps = tuple((stress.name, STEPS[stress.name]) for value, stress in lost if value < bound and stress.name in STEPS)
        found.append(Advice(family, kept.value, tuple((stress.name, value) for value, stress in worst), entries, steps))
    return sorted(found, key=lambda one: one.kept)


def recipe_line(own: Sequence[str], advice: Sequence[Advice]) -> list[str]:
    """The augmentations the model was trained with, followed by those advised, without doubles; an entry advised replaces an own one of its
    name. Chances of those advised are scaled down together, so that on average at most `PER_PICTURE` of them meet in a picture."""
    wanted: dict[str, str] = {}
    for entry in (entry for one in advice for entry in one.entries):
        wanted.setdefault(_name(entry), entry)
    chances = {name: float(found[1]) for name, entry in wanted.items() if (found := _CHANCE.search(entry))}
    share = min(1.0, PER_PICTURE / max(sum(chances.values()), 1e-9))
    scaled = [_CHANCE.sub(f"p={max(0.01, share * chances.get(name, 1.0)):.2g}", entry) for name, entry in wanted.items()]
    return [*(entry for entry in own if _name(entry) not in wanted), *scaled]


def step_line(own: Sequence[str], advice: Sequence[Advice]) -> list[str]:
    """The model's own steps, followed by those worth a try that it does not have yet, in the order that makes sense."""
    wanted = {step for one in advice for _, step in one.steps} - {_name(call) for call in own}
    return [*own, *(step for step in _ORDER if step in wanted)] if wanted else []


def step_trial(own: Sequence[str], advice: Sequence[Advice]) -> str:
    """The command that measures the steps of `step_line`, each alone and all together."""
    line = step_line(own, advice)
    chains = ["+".join([*own, step]) for step in line[len(own) :]]
    if len(chains) > 1:
        chains.append("+".join(line))
    stresses = dict.fromkeys(stress for one in advice for stress, step in one.steps if step in line[len(own) :])
    return f"vidi enhance MODEL DATA --rank '{','.join(chains)}' --stress {','.join(stresses)} --out NEW.vidi"


def _name(entry: str) -> str:
    return entry.partition("(")[0].strip()

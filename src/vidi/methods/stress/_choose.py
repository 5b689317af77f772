"""Which stresses a card has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidi.core import discovery
from vidi.core.augmentation import Augmentation
from vidi.engine.stress import Cell
from vidi.errors import InputError, nearest
from vidi.methods.stress._levels import SEVERITIES

ROOM = "methods/stress"


@dataclass(frozen=True, slots=True)
class Stress:
    """A file of ``methods/stress``.

    Args:
        name: the file's name.
        family: what it belongs to: noise, blur, weather, …
        meaning: what it does, in a few words.
        remedy: recipe entries of augmentations that train for it.
        levels: its five severities.
    """

    name: str
    family: str
    meaning: str
    remedy: tuple[str, ...]
    levels: tuple[Augmentation, ...]

    def suits(self, family: str) -> bool:
        """Whether labels of a family can follow."""
        return all(not level.families or family in level.families for level in self.levels)

    def cells(self, severities: Sequence[int], size: tuple[int, int]) -> list[Cell]:
        """Its cells on canvases of (height, width)."""
        return [Cell.of(self.name, self.family, severity, self.levels[severity - 1], size) for severity in severities]


def load_stress(name: str) -> Stress:
    """A stress by name or by the path of a Python file.

    Raises:
        ChoiceError: nothing answers to the name, or the file lacks a part.
    """
    module = discovery.load(ROOM, name)
    family, meaning, remedy, levels = (discovery.member(module, part, ROOM) for part in ("FAMILY", "MEANING", "REMEDY", "levels"))
    return Stress(Path(name).stem, family, meaning, tuple(remedy), tuple(levels()))


def choose(families: Sequence[str] | None, label_family: str, further: Sequence[str] = ()) -> list[Stress]:
    """The stresses of some families that labels of a family can follow, family by family.

    Args:
        families: names of families, of single stresses, or paths of files; None: every family.
        further: families that the caller brings itself, which count as known.

    Raises:
        InputError: no such family or stress, or one that these labels cannot follow.
    """
    every = [load_stress(name) for name in discovery.names(ROOM)]
    known = list(dict.fromkeys(stress.family for stress in sorted(every, key=lambda one: _place(one.family))))
    if families is None:
        return [stress for family in known for stress in every if stress.family == family and stress.suits(label_family)]
    chosen: list[Stress] = []
    for wanted in families:
        if wanted in further:
            continue
        found = [stress for stress in every if wanted in (stress.family, stress.name)]
        if not found and discovery.is_path(wanted):
            found = [load_stress(wanted)]
        if not found:
            names = [*known, *further, *(stress.name for stress in every)]
            close = nearest(wanted, names)
            fix = f"did you mean {', '.join(close)}?" if close else f"families: {', '.join([*known, *further])}; or a stress by name"
            raise InputError("no such family of stresses", at="families", value=wanted, fix=fix)
        fitting = [stress for stress in found if stress.suits(label_family)]
        if not fitting:
            raise _unsuited(wanted, found[0], every, label_family)
        chosen += [stress for stress in fitting if stress not in chosen]
    return chosen


def _unsuited(wanted: str, stress: Stress, every: Sequence[Stress], label_family: str) -> InputError:
    """Why a stress cannot be had, and which others of its family can."""
    able = sorted({family for level in stress.levels for family in level.families})
    others = [one.name for one in every if one.family == stress.family and one.suits(label_family)]
    rule = f"labels of this model ({label_family}) cannot follow; for {' and '.join(able)} only"
    return InputError(rule, at="families", value=wanted, fix=f"{', '.join(others)} can be had" if others else "leave it out")


def check_severities(severities: Sequence[int | str] | None) -> list[int]:
    """Severities as whole numbers, rising; None: all five.

    Raises:
        InputError: one is not 1..5, or there is none.
    """
    if severities is None:
        return list(SEVERITIES)
    for severity in severities:
        if str(severity) not in map(str, SEVERITIES):
            raise InputError("severities are 1, 2, 3, 4 and 5", at="severities", value=severity)
    if not len(severities):
        raise InputError("at least one severity", at="severities", fix="1,3,5")
    return sorted({int(severity) for severity in severities})


_ORDER = ("noise", "blur", "weather", "digital", "compression", "resolution", "illumination", "occlusion", "missing", "geometry", "outlier")


def _place(family: str) -> tuple[int, str]:
    return (_ORDER.index(family) if family in _ORDER else len(_ORDER), family)

"""What is wrong with each wrong prediction and each thing that was not found.

Source: Bolya et al. 2020, TIDE: A General Toolbox for Identifying Object Detection Errors (arXiv:2008.08050), with the order of
tests of its published program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidi.metrics._matching import Things, match

FOREGROUND, BACKGROUND = 0.5, 0.1
RIGHT, SPARED = "right", "spared"
KINDS = (RIGHT, SPARED, "cls", "loc", "both", "dup", "bkg")


@dataclass(frozen=True, slots=True)
class Errors:
    """The verdict on all predictions and things.

    Args:
        kind: (P,) places in `KINDS`. ``cls``: enough overlap with a thing of another class. ``loc``: too little with one of its
            own class. ``both``: too little, and the other class. ``dup``: the thing was found by a higher score. ``bkg``: nothing
            there. ``spared``: inside a crowd.
        target: (P,) the thing that was found, or that would have been with the right class or place; −1 for none.
        mended: (P,) bool: the wrong predictions that, put right, would find a thing that no other one finds.
        found: (N,) bool: the things that were found.
        missed: (N,) bool: the things that no prediction would find, put right.
    """

    kind: np.ndarray
    target: np.ndarray
    mended: np.ndarray
    found: np.ndarray
    missed: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """(P,) bool: the predictions of one kind."""
        return self.kind == KINDS.index(name)


def errors_of(things: Things) -> Errors:
    """Judge predictions at IoU 0.5 against background at 0.1.

    Args:
        things: gathered with ``floor=BACKGROUND, across=True``.
    """
    crowd, scores = things.truth.crowd, things.predicted.scores
    target = match(things, np.array([FOREGROUND]))[0]
    spared = np.append(crowd, False)[target]
    plain = ~crowd[things.pairs[1]]
    own, own_target = _strongest(things, plain & things.same_class)
    other, other_target = _strongest(things, plain & ~things.same_class)
    tests = [
        (target >= 0) & ~spared, spared, (own < FOREGROUND) & (own >= BACKGROUND), other >= FOREGROUND, own >= FOREGROUND,
        np.maximum(own, other) < BACKGROUND,
    ]  # fmt: skip
    kind = np.select(tests, [KINDS.index(name) for name in (RIGHT, SPARED, "loc", "cls", "dup", "bkg")], KINDS.index("both"))
    target = np.where(kind == KINDS.index("loc"), own_target, target)
    target = np.where(kind == KINDS.index("cls"), other_target, target)
    target[spared] = -1
    found = np.zeros(len(crowd), bool)
    found[target[kind == KINDS.index(RIGHT)]] = True

    wrong = np.isin(kind, [KINDS.index("loc"), KINDS.index("cls")])
    able = np.flatnonzero(wrong & ~np.append(found, True)[target])
    able = able[np.argsort(-scores[able], kind="stable")]
    reached, first = np.unique(target[able], return_index=True)
    mended, missed = np.zeros(len(kind), bool), ~found & ~crowd
    mended[able[first]] = True
    missed[reached] = False
    return Errors(kind, target, mended, found, missed)


def _strongest(things: Things, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest overlap of each prediction among some pairs (0 for none) and the thing it is with (−1), both (P,)."""
    (first, second), overlaps = things.pairs[:, usable], things.overlaps[usable]
    order = np.lexsort((second, -overlaps, first))
    seekers, place = np.unique(first[order], return_index=True)
    best, target = np.zeros(len(things.predicted)), np.full(len(things.predicted), -1, np.int64)
    best[seekers], target[seekers] = overlaps[order][place], second[order][place]
    return best, target

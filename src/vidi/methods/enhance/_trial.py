"""One net with one chain of steps after another, on the same pictures and stresses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from vidi.core.console import say
from vidi.core.dataset import Dataset
from vidi.core.discovery import names
from vidi.core.net import Net
from vidi.engine.stress import CLEAN, Bench, Cell, Outcome, run_cells
from vidi.errors import InputError, VidiError
from vidi.metrics._bootstrap import percentiles
from vidi.nets.enhance._steps import ROOM, calls_of, make_step, put_steps, slot_of, split_steps

LEVEL = 0.95
TIMED = 4
BETTER, NOT_BETTER = "better", "not better"


@dataclass(slots=True)
class Measured:
    """A chain's scores: the first value is that of all pictures, the others those of resamples that all chains share; NaN where undefined.

    Args:
        name: the chain as it was asked for.
        steps: the chain.
        clean: (1 + R,) on clean pictures.
        stresses: (1 + R,) by stress, the mean over its severities.
        milliseconds: that the steps take for a picture.
    """

    name: str
    steps: nn.Sequential
    clean: np.ndarray
    stresses: dict[str, np.ndarray] = field(default_factory=dict)
    milliseconds: float = 0.0

    @property
    def stressed(self) -> np.ndarray | None:
        """The mean over stresses; None without any."""
        return np.mean(list(self.stresses.values()), 0) if self.stresses else None

    @property
    def aim(self) -> np.ndarray:
        """What is to become better: the score under stress where there is any, else the clean one."""
        return self.clean if self.stressed is None else self.stressed


def measure(bench: Bench, name: str, steps: nn.Sequential, cells: Sequence[Cell]) -> Measured:
    """Score the bench's net with a chain in front, which stays there."""
    put_steps(bench.net, steps)
    outcomes = run_cells(bench, [Cell(CLEAN, CLEAN, 0), *cells], title=name)
    found = Measured(name, steps, _series(outcomes[0]), milliseconds=_milliseconds(bench, steps))
    for stress in dict.fromkeys(cell.stress for cell in cells):
        found.stresses[stress] = np.mean([_series(one) for one in outcomes[1:] if one.cell.stress == stress], 0)
    return found


def _series(outcome: Outcome) -> np.ndarray:
    return np.concatenate([[np.nan if outcome.score is None else outcome.score], outcome.resamples])


@torch.inference_mode()
def _milliseconds(bench: Bench, steps: nn.Sequential) -> float:
    if len(steps) == 0:
        return 0.0
    pictures = torch.rand(TIMED, 3, *bench.size, device=bench.device)
    steps(pictures)
    start = time.perf_counter()
    steps(pictures)
    if bench.device.type == "cuda":
        torch.cuda.synchronize(bench.device)
    return 1000 * (time.perf_counter() - start) / TIMED


def difference(before: np.ndarray, after: np.ndarray) -> tuple[float | None, tuple[float, float] | None]:
    """after − before with its interval over the shared resamples; None where undefined."""
    change = after - before
    if not np.isfinite(change[0]):
        return None, None
    return float(change[0]), percentiles(change[1:], LEVEL)


def verdict(before: Measured, after: Measured, higher_is_better: bool) -> tuple[str, str]:
    """``better`` or ``not better``, and why.

    Better is a gain beyond its interval under stress (without stress on clean pictures), and no loss beyond its interval on clean pictures.
    """
    sign, where = 1 if higher_is_better else -1, "clean" if after.stressed is None else "under stress"
    gain, gained = difference(sign * before.aim, sign * after.aim)
    loss, lost = difference(sign * before.clean, sign * after.clean)
    if gain is None or gained is None:
        return NOT_BETTER, "the difference has no interval"
    told = f"{where} {sign * gain:+.4f} ({_range(gained, sign)})"
    if gained[0] <= 0:
        return NOT_BETTER, f"{told}: {'worse' if gained[1] < 0 else 'no gain beyond the interval'}"
    if after.stressed is None or loss is None or lost is None:
        return BETTER, told
    told += f", clean {sign * loss:+.4f} ({_range(lost, sign)})"
    return (NOT_BETTER, f"{told}: clean pictures lose") if lost[1] < 0 else (BETTER, told)


def _range(interval: tuple[float, float], sign: int) -> str:
    low, high = sorted(sign * end for end in interval)
    return f"{low:+.4f} to {high:+.4f}"


def candidates(chosen: Sequence[str], net: Net) -> dict[str, nn.Sequential]:
    """Chains to compare, by what they were asked for as.

    Args:
        chosen: chains; ``all`` stands for every step alone, but those that need more than their defaults.

    Raises:
        InputError: none is left, or one that was named cannot be made.
    """
    found: dict[str, nn.Sequential] = {}
    for chain in dict.fromkeys(chosen):
        if chain != "all":
            found[chain] = chain_of(chain, net)
            continue
        for name in names(ROOM):
            try:
                found[name] = nn.Sequential(make_step(name))
            except VidiError as error:
                say(f"{name} is left out: {error.rule}")
    if not found:
        raise InputError("no steps to compare", at="rank", fix="rank=all, or chains such as clahe,gamma+clahe")
    return found


def chain_of(steps: Sequence[str] | str, net: Net) -> nn.Sequential:
    """Steps as they are written. One that the net has already, written in the same way, is taken over with its weights.

    Raises:
        InputError: the net has no place for steps, no such step, or settings that it refuses.
    """
    slot = slot_of(net)
    if slot is None:
        raise InputError("this net has no `normalize` layer to put steps in", at="enhance", fix="a net made with vidi.nets.blocks")
    has = dict(zip(calls_of(net), slot))
    made = []
    for text in split_steps(steps):
        step = make_step(text)
        if getattr(step, "bare", False) and str(step.call) not in has:
            raise InputError("the weights of this step come with a model file, or out of one of its own", at="steps", value=text)
        made.append(has.get(str(step.call), step))
    return nn.Sequential(*made)


def split_to_rank_on(dataset: Dataset, split: str | None) -> str | None:
    """The split that chains are chosen on: the one asked for, else val; None: everything, where nothing is split.

    Raises:
        InputError: there is no val split, and what is left is for training or for the final test.
    """
    named = [name for name, count in dataset.splits.items() if name and count]
    if split is not None or not named:
        return split
    if "val" not in named:
        raise InputError("no val split to choose on", at="split", value=", ".join(named), fix="labeled pictures in a `val` folder, or split=NAME at your own risk")
    return "val"

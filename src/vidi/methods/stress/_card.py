"""The robustness card: what a model keeps of its clean score under stress, where it fails first, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidi.engine.stress import CLEAN, Bench, Cell, Outcome, run_cells
from vidi.errors import InputError
from vidi.methods.stress._advice import BOUND, advise, recipe_line, step_line
from vidi.methods.stress._choose import Stress
from vidi.methods.stress._kept import Kept, Shares, shares
from vidi.methods.stress._sections import advice_sections, class_section, curve_sections, failure_sections, heat_section
from vidi.nets.enhance._steps import calls_of
from vidi.ops.severity import is_small
from vidi.report import Report


def card(
    bench: Bench, stresses: Sequence[Stress], severities: Sequence[int], about: dict[str, Any], *, extra_cells: Sequence[Cell] = (),
    augment: Sequence[str] = (), file: Path | None = None,
) -> Report:  # fmt: skip
    """Run every cell and make the report.

    Args:
        stresses: see `vidi.methods.stress._choose`.
        severities: 1..5, rising.
        about: what goes into the report's `about`.
        extra_cells: further cells of families without stresses of their own (attacks), which get curves but no advice.
        augment: the recipe entries that the model was trained with.
        file: where finished cells are kept, so that a second run goes on; None: nowhere.

    Raises:
        InputError: neither stresses nor further cells, or the model's clean score is not computable or nothing.
    """
    cells = [cell for stress in stresses for cell in stress.cells(severities, bench.size)] + list(extra_cells)
    if not cells:
        raise InputError("no stress is left", at="families", fix="leave families out")
    clean = run_cells(bench, [Cell(CLEAN, CLEAN, 0)], file, "clean pictures")[0]
    higher = bench.task.higher_is_better
    if clean.score is None or (higher and clean.score <= 0):
        raise InputError("the model has no clean score that could be lost", at=bench.task.primary, value=clean.score,
                         fix="`vidi val` shows what is wrong: other data, or more training")  # fmt: skip
    outcomes = run_cells(bench, cells, file)
    kept = shares(clean, outcomes, higher)
    advice = advise(kept, stresses)
    line = recipe_line(augment, advice) if advice else []
    own_steps = calls_of(bench.net)
    report = _numbers(bench, clean, kept)
    report.about = about | report.about | {
        "severities": list(severities), "parameters": _parameters(bench), "bound": BOUND, "augment": line, "enhance": step_line(own_steps, advice),
        "meanings": {stress.name: stress.meaning for stress in stresses}, "seconds": round(sum(one.seconds for one in (clean, *outcomes)), 1),
    }  # fmt: skip
    report.sections = [
        *advice_sections(advice, line, BOUND, own_steps), *curve_sections(clean, outcomes, kept, bench.task.primary), heat_section(outcomes, kept),
        *class_section(bench, clean, outcomes, BOUND), *failure_sections(bench, clean, outcomes),
    ]  # fmt: skip
    return report


def _parameters(bench: Bench) -> str:
    tall, wide = bench.size
    return f"{'CIFAR-10-C' if is_small(bench.size) else 'ImageNet-C'} (canvas {tall}×{wide}; lengths in proportion to its shorter side)"


def _numbers(bench: Bench, clean: Outcome, kept: Shares) -> Report:
    """``robust`` (in all), the clean score, the mean score under stress, ``robust_FAMILY`` and ``stress_NAME``."""
    primary = bench.task.primary
    named: dict[str, Kept] = {"robust": kept.whole, primary: _score(clean), f"{primary}_stressed": kept.scores}
    named |= {f"robust_{family}": share for family, share in kept.families.items()}
    tiles = list(named)
    named |= {f"stress_{stress}": share for stress, share in kept.stresses.items()}
    count = sum(label is not None for label in bench.dataset.labels)
    better = {name: bench.task.higher_is_better if name.startswith(primary) else True for name in named}
    intervals = {name: found for name, one in named.items() if (found := one.interval) is not None}
    about = {"key_numbers": tiles, "higher_is_better": better}
    return Report("robustness", {name: one.value for name, one in named.items()}, about, intervals, dict.fromkeys(named, count))


def _score(clean: Outcome) -> Kept:
    return Kept(np.concatenate([[clean.score], clean.resamples]).astype(np.float64))

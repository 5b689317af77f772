"""What is said of a defense: both models under the same attack, the verdict, the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vidi.core.console import quiet
from vidi.core.dataset import Dataset, Sample
from vidi.core.net import Net
from vidi.core.task import Task
from vidi.engine.canvases import canvas_dataset
from vidi.engine.evaluate import Scored, make_loader, score, settings_of
from vidi.engine.map_pictures import beside
from vidi.engine.thing_pictures import SHOWN_SCORE
from vidi.methods.defend._base import Findings
from vidi.methods.defend._masking import Check, section
from vidi.model import Model
from vidi.report import Report
from vidi.report.pictures import encode

BETTER, NOT_BETTER = "better", "not better"
PICTURES = 8
SIDE = 640


@dataclass(slots=True)
class Side:
    """One model, before or after.

    Args:
        clean, robust: its scores on the canvases as they were, and attacked.
        right: bool by picture, whether the attack's goal was not reached before.
        fooled: bool by picture, whether it is reached after.
    """

    clean: Scored
    robust: Scored
    right: Sequence[bool]
    fooled: Sequence[bool]

    def share_fooled(self) -> float | None:
        """Of the pictures that were right; None where there is none."""
        before = np.array(self.right, bool)
        return float(np.array(self.fooled, bool)[before].mean()) if before.any() else None


def side(
    model: Model, net: Net, task: Task, dataset: Dataset, clean: Sequence[Sample], attacked: Sequence[Sample], fooled: tuple[Sequence[bool], Sequence[bool]],
    *, batch: int, intervals: int, device: torch.device,
) -> Side:  # fmt: skip
    """A model's scores on canvases.

    Args:
        net: what answers for it.
        dataset: that the canvases were made from.
        fooled: right before, fooled after.
        intervals: bootstrap resamples.
    """
    scored = []
    for name, samples in (("clean", clean), ("attacked", attacked)):
        canvases = canvas_dataset(dataset, samples, name)
        loader = make_loader(canvases, model.preprocess, batch, cache="none")
        with quiet():
            scored.append(score(net, canvases, loader, task, device=device, settings=settings_of(model.card), metrics=task.watch, intervals=intervals))
        loader.store.close()
    return Side(scored[0], scored[1], *fooled)


def verdict(before: Side, after: Side, task: Task, found: Sequence[Check]) -> tuple[str, str]:
    """``better`` or ``not better``, and why.

    Better is a robust score whose interval lies beyond that of the undefended model, where no check failed.
    """
    name, sign = task.primary, 1 if task.higher_is_better else -1
    values = [one.robust.evaluation.numbers.get(name) for one in (before, after)]
    first, second = (one.robust.evaluation.intervals.get(name) for one in (before, after))
    old, new = values
    if old is None or new is None or first is None or second is None:
        return NOT_BETTER, f"the robust {name} has no interval to compare"
    moved = f"robust {name} {old:.4g} ({first[0]:.4g}–{first[1]:.4g}) → {new:.4g} ({second[0]:.4g}–{second[1]:.4g})"
    apart = second[0] > first[1] if sign > 0 else second[1] < first[0]
    if not apart:
        return NOT_BETTER, f"{moved}: not beyond the intervals"
    failed = [check.name for check in found if check.passed is False]
    if failed:
        return NOT_BETTER, f"{moved}, but the gain cannot be trusted, as a check failed: {', '.join(failed)}"
    return BETTER, moved


def cost(before: Side, after: Side, task: Task) -> str:
    """What the defense costs on clean pictures, in words."""
    old, new = (one.clean.evaluation.numbers.get(task.primary) for one in (before, after))
    if old is None or new is None:
        return f"clean {task.primary} cannot be computed"
    return f"clean {task.primary} {old:.4g} → {new:.4g} ({new - old:+.4g})"


def report(before: Side, after: Side, task: Task, about: dict[str, Any], found: Sequence[Check], extra: Findings, names: Sequence[str]) -> Report:
    """The report; `about` gets the verdict."""
    numbers: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float]] = {}
    n: dict[str, int] = {}
    for when, one in (("before", before), ("after", after)):
        for what, scored in (("", one.clean), ("robust_", one.robust)):
            result, name, key = scored.evaluation, f"{when}.{what}{task.primary}", task.primary
            numbers[name], n[name] = result.numbers.get(key), result.n.get(key, len(scored.dataset))
            intervals |= {name: result.intervals[key]} if key in result.intervals else {}
        numbers[f"{when}.fooled"], n[f"{when}.fooled"] = one.share_fooled(), int(np.sum(one.right))
    word, why = extra.verdict or verdict(before, after, task, found)
    keys = [f"{when}.{what}{task.primary}" for when in ("before", "after") for what in ("", "robust_")]
    about = about | {
        "verdict": word, "why": why, "cost": cost(before, after, task), "checks": {check.name: check.verdict for check in found}, "key_numbers": keys,
        "higher_is_better": {key: task.higher_is_better for key in keys}, "notes": [*about.get("notes", ()), *extra.notes],
    }  # fmt: skip
    sections = [
        verdict_section(about),
        table(before, after), *([section(list(found))] if found else []), *extra.sections, *pictures(before, after, names),
    ]  # fmt: skip
    return Report("defend", numbers | extra.numbers, about, intervals | extra.intervals, n | extra.n, sections)


def verdict_section(about: dict[str, Any]) -> dict[str, Any]:
    """The verdict with all that it rests on, as a table, which a terminal shows as well."""
    attack = f"{about['attack']} at {about['norm']} {about['budget']:.4g} on {about['samples']} pictures"
    rows = [["verdict", about["verdict"]], ["why", about["why"]], ["cost", about["cost"]], ["attack", attack], *(["note", note] for note in about["notes"])]
    return {"kind": "table", "title": "Did it help?", "columns": ["", ""], "rows": rows}


def table(before: Side, after: Side) -> dict[str, Any]:
    """All the task's numbers, those that can be computed."""
    sides = [one.evaluation.numbers for one in (before.clean, after.clean, before.robust, after.robust)]
    rows = [[name, *(numbers.get(name) for numbers in sides)] for name in sides[0] if any(numbers.get(name) is not None for numbers in sides)]
    columns = ["number", "clean before", "clean after", "attacked before", "attacked after"]
    return {"kind": "table", "title": "Before and after", "columns": columns, "rows": rows}


def pictures(before: Side, after: Side, names: Sequence[str]) -> list[dict[str, Any]]:
    """Pictures that fooled the model before, those first that do so no more: clean, attacked before, attacked after, predictions drawn."""
    were, are = np.array(before.fooled, bool) & np.array(before.right, bool), np.array(after.fooled, bool)
    order = [*np.flatnonzero(were & ~are), *np.flatnonzero(were & are), *np.flatnonzero(~were)]
    items = []
    for i in (int(place) for place in order[:PICTURES]):
        drawn = [_drawn(scored, i, names) for scored in (after.clean, before.robust, after.robust)]
        if len({len(picture) for picture in drawn}) > 1:
            return []
        sample = after.clean.dataset[i]
        items.append({
            "image": encode(beside(drawn), SIDE), "mark": "bad" if are[i] else "good", "caption": "fooled" if are[i] else "stands",
            "note": f"{sample.id} · {'?' if sample.label is None else sample.label.words(names)}",
        })  # fmt: skip
    note = "Clean and defended, attacked and undefended, attacked and defended, side by side; each attack was made for the model that it is shown to."
    return [{"kind": "gallery", "title": "Under attack", "items": items, "note": note}] if items else []


def _drawn(scored: Scored, i: int, names: Sequence[str]) -> np.ndarray:
    least: Any = scored.settings.get("thresholds")
    shown = scored.inference.labels[i].confident(np.full(max(1, len(names)), SHOWN_SCORE) if least is None else least)
    return shown.draw(scored.dataset[i].inputs["image"], names)

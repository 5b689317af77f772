"""What is told of an adaptation: numbers before and after, what changed by layer, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidi.core.task import Task
from vidi.methods.adapt._base import Adapter
from vidi.methods.adapt._norms import Moved
from vidi.methods.adapt._run import Adapted
from vidi.report import Report

MOST_ROWS = 12


def report_of(found: Adapted, task: Task, adapter: Adapter, about: dict[str, Any], notes: Sequence[str]) -> Report:
    """The report: ``entropy.before``, ``entropy.after``, ``changed`` and by layer how far statistics moved; with labels also the task's
    numbers before and after, and the difference of the primary one with its interval."""
    report = Report("adapt", about=about)
    count = len(found.after.labels)
    for name, value in (("changed", found.changed), ("entropy.before", found.before.entropy), ("entropy.after", found.after.entropy)):
        report.numbers[name], report.n[name] = value, count
    _scores(report, found, task)
    _layers(report, found.changes.layers)
    report.numbers |= found.changes.numbers
    sentences = [*_sentences(found, task, adapter), *found.changes.notes, *notes]
    report.about |= {
        "verdict": found.verdict, "stopped": found.changes.stopped, "notes": sentences, "lineage": found.model.card.lineage,
        "key_numbers": [name for name in (f"{task.primary}.before", f"{task.primary}.after", f"{task.primary}.difference", "changed", "entropy.before", "entropy.after")
                        if name in report.numbers],
    }  # fmt: skip
    told = {"kind": "table", "title": "What was done", "columns": [adapter.name], "rows": [[line] for line in sentences]}
    report.sections = [told, *_figures(found.changes.layers), *found.changes.sections]
    return report


def _scores(report: Report, found: Adapted, task: Task) -> None:
    if found.before.scored is None or found.after.scored is None or found.difference is None:
        return
    better = {}
    for key in found.before.scored.evaluation.numbers:
        for when, side in (("before", found.before.scored), ("after", found.after.scored)):
            name, result = f"{key}.{when}", side.evaluation
            report.numbers[name] = result.numbers.get(key)
            if key in result.intervals:
                report.intervals[name] = result.intervals[key]
            if key in result.n:
                report.n[name] = result.n[key]
        if key == task.primary:
            name, (change, low, high) = f"{key}.difference", found.difference
            report.numbers[name] = change
            report.n |= {name: found.after.scored.evaluation.n[key]} if key in found.after.scored.evaluation.n else {}
            if low is not None and high is not None:
                report.intervals[name] = (low, high)
            better = {f"{key}.{when}": task.higher_is_better for when in ("before", "after", "difference")}
    report.about["higher_is_better"] = better


def _layers(report: Report, layers: Sequence[Moved]) -> None:
    if not layers:
        return
    report.numbers |= {
        "layers": float(len(layers)), "shift": sum(one.shift for one in layers) / len(layers), "shift.largest": max(one.largest for one in layers),
    }  # fmt: skip
    report.n |= {"shift": len(layers), "shift.largest": len(layers)}


def _figures(layers: Sequence[Moved]) -> list[dict[str, Any]]:
    """How far statistics moved by layer, as a figure over the depth and as a table of those that moved most."""
    if not layers:
        return []
    depth = list(range(1, len(layers) + 1))
    shifts = [
        {"name": "mean over channels", "x": depth, "y": [one.shift for one in layers], "marks": True},
        {"name": "largest of a channel", "x": depth, "y": [one.largest for one in layers], "dash": True},
    ]
    spreads = [{"name": "new / old standard deviation", "x": depth, "y": [one.spread for one in layers], "marks": True}]
    most = sorted(layers, key=lambda one: -one.shift)[:MOST_ROWS]
    rows = [[one.layer, round(one.shift, 4), round(one.largest, 4), round(one.spread, 4)] for one in most]
    return [
        {"kind": "lines", "title": "How far means moved", "xlabel": "batch norm, from input to output", "ylabel": "standard deviations", "series": shifts},
        {"kind": "lines", "title": "How spreads changed", "xlabel": "batch norm, from input to output", "ylabel": "ratio", "series": spreads},
        {
            "kind": "table", "title": "Layers whose statistics moved most", "rows": rows,
            "columns": ["batch norm", "mean shift, std", "largest, std", "new / old std"],
        },
    ]  # fmt: skip


def _sentences(found: Adapted, task: Task, adapter: Adapter) -> list[str]:
    lines = []
    if found.changes.stopped is not None:
        lines.append(f"the guard stopped {adapter.name}: {found.changes.stopped}")
    layers = found.changes.layers
    if layers:
        mean = sum(one.shift for one in layers) / len(layers)
        furthest = max(layers, key=lambda one: one.shift)
        lines.append(f"means moved by {mean:.2f} standard deviations over {len(layers)} batch norms, most in {furthest.layer} ({furthest.shift:.2f})")
    if found.changed is not None:
        lines.append(f"{found.changed:.1%} of {len(found.after.labels)} predictions changed")
    if found.before.entropy is not None and found.after.entropy is not None:
        lines.append(f"entropy of predictions, as a share of the largest possible: {found.before.entropy:.3f} before, {found.after.entropy:.3f} after")
    if found.difference is not None:
        change, low, high = found.difference
        size = "not computable" if change is None else f"{change:+.4f}" + ("" if low is None else f" ({low:+.4f} to {high:+.4f})")
        lines.append(f"{task.primary} {size}: {found.verdict}")
    return lines

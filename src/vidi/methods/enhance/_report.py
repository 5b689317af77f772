"""What is told of steps in front of a model: scores before and after, differences, a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidi.core.task import Task
from vidi.methods.enhance._trial import LEVEL, Measured, difference, verdict
from vidi.metrics._bootstrap import percentiles
from vidi.report import Report


def report_of(before: Measured, after: Measured, task: Task, count: int, about: dict[str, Any]) -> Report:
    """``PRIMARY.before``, ``.after`` and ``.difference``; with stresses the same of ``stressed`` (their mean) and of ``stress_NAME``."""
    report = Report("enhance", about=about)
    sides: dict[str, tuple[np.ndarray, np.ndarray]] = {task.primary: (before.clean, after.clean)}
    if before.stressed is not None and after.stressed is not None:
        sides["stressed"] = (before.stressed, after.stressed)
        sides |= {f"stress_{name}": (values, after.stresses[name]) for name, values in before.stresses.items()}
    for name, (first, second) in sides.items():
        for when, values in (("before", first), ("after", second), ("difference", second - first)):
            _put(report, f"{name}.{when}", values, count)
    word, why = verdict(before, after, task.higher_is_better)
    keys = [f"{name}.{when}" for name in [task.primary, *(["stressed"] if "stressed" in sides else [])] for when in ("before", "after", "difference")]
    report.about |= {
        "verdict": word, "why": why, "milliseconds": round(after.milliseconds, 3), "key_numbers": keys,
        "higher_is_better": dict.fromkeys(report.numbers, task.higher_is_better),
    }  # fmt: skip
    rows = [[name, *(report.numbers[f"{name}.{when}"] for when in ("before", "after", "difference")), _interval(report, f"{name}.difference")] for name in sides]
    report.sections = [
        {"kind": "text", "title": f"Verdict: {word}", "text": why},
        {"kind": "table", "title": "Before and after", "columns": [task.primary, "before", "after", "difference", "interval"], "rows": rows,
         "note": "Of the same pictures and the same resamples, on the model's canvas, without tiles."},
    ]  # fmt: skip
    return report


def _put(report: Report, name: str, values: np.ndarray, count: int) -> None:
    report.numbers[name] = float(values[0]) if np.isfinite(values[0]) else None
    report.n[name] = count
    interval = percentiles(values[1:], LEVEL) if report.numbers[name] is not None else None
    if interval is not None:
        report.intervals[name] = interval


def _interval(report: Report, name: str) -> str:
    low_high = report.intervals.get(name)
    return "" if low_high is None else f"{low_high[0]:+.4f} to {low_high[1]:+.4f}"


def ranked(before: Measured, tried: Sequence[Measured], task: Task) -> list[Measured]:
    """The chains, the best first: those that are better by the verdict, then by the score."""
    sign = 1 if task.higher_is_better else -1

    def key(one: Measured) -> tuple[bool, float]:
        score = sign * float(one.aim[0])
        return verdict(before, one, task.higher_is_better)[0] == "better", score if np.isfinite(score) else -np.inf

    return sorted(tried, key=key, reverse=True)


def ranking_section(before: Measured, order: Sequence[Measured], task: Task, where: str) -> dict[str, Any]:
    """A row for each chain, the best first, and one for the model as it was."""
    stressed = before.stressed is not None
    columns = ["steps", f"clean {task.primary}", *([f"{task.primary} under stress"] if stressed else []), "difference", "interval", "ms per picture", "verdict"]
    rows: list[list[Any]] = []
    for one in (*order, before):
        change, interval = difference(before.aim, one.aim)
        scores = [_rounded(values[0]) for values in (one.clean, one.stressed) if values is not None]
        told = "" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"
        word = "as it was" if one is before else verdict(before, one, task.higher_is_better)[0]
        rows.append([one.name, *scores, _rounded(change), told, round(one.milliseconds, 2), word])
    note = f"On {where}. The best of several on the same pictures looks better than it is: its score on pictures that had no say is the one to believe."
    return {"kind": "table", "title": "Steps, the best first", "columns": columns, "rows": rows, "note": note}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def ranking_lines(section: dict[str, Any]) -> list[str]:
    """The table as lines of text."""
    rows = [section["columns"], *([("-" if cell is None else str(cell)) for cell in row] for row in section["rows"])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def sentence(report: Report, task: Task) -> str:
    """Before and after in one line."""
    parts = []
    for name, told in ((task.primary, f"clean {task.primary}"), ("stressed", f"{task.primary} under stress")):
        before, after, change = (report.numbers.get(f"{name}.{when}") for when in ("before", "after", "difference"))
        if before is not None and after is not None and change is not None:
            interval = _interval(report, f"{name}.difference")
            parts.append(f"{told} {before:.4f} → {after:.4f} ({change:+.4f}{', ' + interval if interval else ''})")
    return f"{'; '.join(parts) or task.primary + ' cannot be computed'}: {report.about['verdict']}"

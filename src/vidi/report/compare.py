"""Two reports side by side: what changed, and whether it is more than noise."""

from __future__ import annotations

import math
from typing import Any

from vidi.report.report import Report


def compare(a: Report, b: Report) -> Report:
    """A report of the differences b − a.

    Every number of either gives ``NAME.a``, ``NAME.b`` and ``NAME.difference``. Where both have an interval, the difference
    gets one by MOVER (Zou and Donner, Statistics in Medicine 2008), which takes the two as independent and is thus on the safe
    side for two models measured on the same pictures.

    ``about`` holds, by number, ``overlap`` (whether the two intervals do; None where one is missing) and ``verdict``:
    ``better`` or ``worse`` (by ``higher_is_better``) when the intervals lie apart or there are none, ``within noise`` when they overlap,
    ``equal``, ``changed`` (it is not known which way is better), ``only in a``, ``only in b`` or ``not computable``.
    """
    higher = {**_directions(a), **_directions(b)}
    names = list(dict.fromkeys([*a.numbers, *b.numbers]))
    result = Report("compare", about={"title": f"{_name(a, 'a')} → {_name(b, 'b')}"})
    overlap: dict[str, bool | None] = {}
    verdict: dict[str, str] = {}
    for name in names:
        _add(result, a, b, name)
        overlap[name] = _overlap(a.intervals.get(name), b.intervals.get(name))
        verdict[name] = _verdict(a, b, name, overlap[name], higher.get(name))
    result.about |= {
        "a": _identity(a), "b": _identity(b), "overlap": overlap, "verdict": verdict,
        "key_numbers": [f"{name}.difference" for name in _key_names(b, names)],
        "higher_is_better": {f"{name}.difference": value for name, value in higher.items()},
    }  # fmt: skip
    result.sections = [*_warnings(a, b), _table(result, names), *_chart(result, names)]
    return result


def _directions(report: Report) -> dict[str, bool]:
    found = report.about.get("higher_is_better")
    return {name: value for name, value in found.items() if isinstance(value, bool)} if isinstance(found, dict) else {}


def _name(report: Report, fallback: str) -> str:
    return str(report.about.get("model") or report.about.get("title") or fallback)


def _identity(report: Report) -> dict[str, Any]:
    return {"kind": report.kind} | {
        key: report.about[key] for key in ("model", "data", "fingerprint", "date") if key in report.about
    }


def _key_names(report: Report, names: list[str]) -> list[str]:
    asked = report.about.get("key_numbers")
    return [name for name in asked if name in names] if isinstance(asked, list) else names[:8]


def _add(result: Report, a: Report, b: Report, name: str) -> None:
    """One number's three values, with their intervals and n."""
    pair = _pair(a, b, name)
    result.numbers |= {f"{name}.a": a.numbers.get(name), f"{name}.b": b.numbers.get(name)}
    result.numbers[f"{name}.difference"] = pair[1] - pair[0] if pair else None
    for side, report in (("a", a), ("b", b)):
        if name in report.intervals:
            result.intervals[f"{name}.{side}"] = report.intervals[name]
        if name in report.n:
            result.n[f"{name}.{side}"] = report.n[name]
    if pair and name in a.intervals and name in b.intervals:
        first, second = pair
        (a_low, a_high), (b_low, b_high) = a.intervals[name], b.intervals[name]
        below, above = math.hypot(second - b_low, a_high - first), math.hypot(b_high - second, first - a_low)
        result.intervals[f"{name}.difference"] = (second - first - below, second - first + above)


def _pair(a: Report, b: Report, name: str) -> tuple[float, float] | None:
    """A number's value in both, or None where one does not know it."""
    first, second = a.numbers.get(name), b.numbers.get(name)
    if first is None or second is None or not math.isfinite(first) or not math.isfinite(second):
        return None
    return first, second


def _overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool | None:
    return None if a is None or b is None else a[0] <= b[1] and b[0] <= a[1]


def _verdict(a: Report, b: Report, name: str, overlap: bool | None, higher: bool | None) -> str:
    if name not in b.numbers:
        return "only in a"
    if name not in a.numbers:
        return "only in b"
    pair = _pair(a, b, name)
    if pair is None:
        return "not computable"
    first, second = pair
    if first == second:
        return "equal"
    if overlap:
        return "within noise"
    if higher is None:
        return "changed"
    return "better" if (second > first) == higher else "worse"


def _warnings(a: Report, b: Report) -> list[dict[str, Any]]:
    """What makes the two hard to compare."""
    parts = []
    if a.kind != b.kind:
        parts.append(f"The reports are of different kinds: {a.kind} and {b.kind}.")
    for key in ("fingerprint", "data"):
        first, second = a.about.get(key), b.about.get(key)
        if first is not None and second is not None and first != second:
            parts.append(f"The numbers come from different data: {first} and {second}.")
            break
    return [{"kind": "text", "title": "Before you compare", "text": "\n\n".join(parts)}] if parts else []


def _table(result: Report, names: list[str]) -> dict[str, Any]:
    words = {True: "overlap", False: "apart", None: "not known"}
    rows = []
    for name in names:
        values = [result.numbers[f"{name}.{part}"] for part in ("a", "b", "difference")]
        low, high = result.intervals.get(f"{name}.difference", (None, None))
        rows.append([name, *values, low, high, words[result.about["overlap"][name]], result.about["verdict"][name]])
    columns = ["number", "a", "b", "difference", "lower", "upper", "intervals", "verdict"]
    return {
        "kind": "table", "title": "Number by number", "columns": columns, "rows": rows,
        "note": "The difference is b − a. Lower and upper are its interval, taking the two reports as independent.",
    }  # fmt: skip


def _chart(result: Report, names: list[str]) -> list[dict[str, Any]]:
    """Both values as bars, for the numbers that are shares (0 to 1) and can be read on one scale."""

    def share(value: float | None) -> bool:
        return value is not None and 0 <= value <= 1

    shown = [name for name in names if share(result.numbers[f"{name}.a"]) and share(result.numbers[f"{name}.b"])][:20]
    if not shown:
        return []
    series = []
    for side in ("a", "b"):
        pairs = [result.intervals.get(f"{name}.{side}", (None, None)) for name in shown]
        series.append({
            "name": side, "values": [result.numbers[f"{name}.{side}"] for name in shown],
            "low": [low for low, _ in pairs], "high": [high for _, high in pairs],
        })  # fmt: skip
    return [{"kind": "bars", "title": "Both, with intervals", "labels": shown, "series": series}]

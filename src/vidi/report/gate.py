"""Rules a release must meet, such as ``accuracy>=0.94`` or ``accuracy.low>=0.9``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence

from vidi.errors import InputError, nearest
from vidi.report._plain import visible
from vidi.report.report import Report

_RULE = re.compile(
    r"\s*(?P<name>[^\s<>=!]+)\s*(?P<sign>>=|<=|==|!=|>|<)\s*(?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)
_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq, "!=": operator.ne}


def gate(report: Report, rules: Sequence[str]) -> list[str]:
    """What the report fails, one sentence per rule; empty when it meets them all.

    Args:
        report: the numbers.
        rules: each a name, a comparison and a number. ``NAME.low`` and ``NAME.high`` are the ends of a number's interval,
            ``NAME.n`` is how many things it was computed from. A number that is missing or not computable fails.

    Raises:
        InputError: a rule that cannot be read.
    """
    failures = []
    for rule in rules:
        match = _RULE.fullmatch(rule)
        if match is None or not math.isfinite(float(match["limit"])):
            raise InputError(
                "not a rule", value=rule, fix="a name, a comparison and a number, such as accuracy>=0.94 or accuracy.low>=0.9"
            )
        value, reason = _look_up(report, match["name"])
        if value is None:
            failures.append(f"{visible(rule.strip())}: {reason}")
        elif not _SIGNS[match["sign"]](value, float(match["limit"])):
            failures.append(f"{visible(rule.strip())}: {visible(match['name'])} is {value:.6g}")
    return failures


def _look_up(report: Report, name: str) -> tuple[float | None, str]:
    """The value a rule names, or why there is none."""
    if name in report.numbers:
        value = report.numbers[name]
        known = value is not None and math.isfinite(value)
        return (value, "") if known else (None, f"{name} could not be computed")
    base, _, end = name.rpartition(".")
    if base in report.numbers and end in ("low", "high"):
        pair = report.intervals.get(base)
        return (None, f"{base} has no interval") if pair is None else (pair[end == "high"], "")
    if base in report.numbers and end == "n":
        return (None, f"the n of {base} is not known") if base not in report.n else (report.n[base], "")
    close = nearest(name, report.numbers)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(report.numbers) or 'no numbers'}"
    return None, f"the report has no number {visible(name)}; {hint}"

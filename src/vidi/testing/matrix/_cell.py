"""One cell of the matrix: a behavior that holds, does not hold, or is refused with a reason."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidi.errors import InputError, VidiError

PASS, FAIL, NO, BUG = "pass", "fail", "no", "bug"
VERDICTS = {
    PASS: "the behavior holds; the cell shows what was measured",
    NO: "the verb refuses in one sentence and names the alternative",
    FAIL: "the behavior does not hold, or a refusal names no alternative",
    BUG: "an error that vidi did not mean to raise",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a check saw.

    Args:
        holds: whether the behavior holds.
        words: what was measured, in a few words with its numbers.
        numbers: the same numbers by name.
        note: what else must be said, for a footnote: why a part of it was refused.
    """

    holds: bool
    words: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A row's place in a column.

    Args:
        row, column: names.
        verdict: of `VERDICTS`.
        words: what was measured, why it is refused, or what went wrong.
        numbers: by name.
        note: what else is to be said.
        seconds: it took.
    """

    row: str
    column: str
    verdict: str
    words: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; without seconds, which differ from run to run."""
        found = {"row": self.row, "column": self.column, "verdict": self.verdict, "words": self.words, "numbers": dict(self.numbers)}
        return found | ({"note": self.note} if self.note else {})


class NoModel(Exception):
    """A row's model could not be trained, so that nothing can be said of what needs it."""


def verdict_of(error: Exception) -> tuple[str, str]:
    """What an error makes of a cell: a refusal that names an alternative is a `NO`."""
    if isinstance(error, NoModel):
        return FAIL, str(error)
    if isinstance(error, InputError):
        reason = sentence(error)
        return (NO, reason) if error.fix else (FAIL, f"refuses without an alternative: {reason}")
    if isinstance(error, VidiError):
        return FAIL, sentence(error)
    at = traceback.extract_tb(error.__traceback__)
    where = next((f"{frame.filename.rpartition('/vidi/')[2]}:{frame.lineno}" for frame in reversed(at) if "/vidi/" in frame.filename), "?")
    return BUG, f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:200]}"


def sentence(error: VidiError) -> str:
    """An error's rule and fix, without what differs between machines."""
    known = error.fields()
    value = f" ({known['value']})" if known.get("value") and "/" not in known["value"] else ""
    return f"{known['rule']}{value}" + (f"; {known['fix']}" if "fix" in known else "")

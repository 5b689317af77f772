"""The Report noun."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidi.core.files import read_json, write_json, write_text
from vidi.errors import InputError, nearest
from vidi.report._plain import plain

FORMAT, VERSION = "vidi-report", 1
_FIELDS = {"numbers": dict, "intervals": dict, "n": dict, "about": dict, "sections": list}


@dataclass
class Report:
    """Numbers that can be defended, and what is needed to understand them.

    Args:
        kind: what was done, such as ``val`` or ``benchmark``.
        numbers: by name, in printing order; None where not computable.
        about: what they are about, in plain JSON values: ``title``, ``model``, ``data``, ``date``, ``higher_is_better`` (a dict
            by number), ``key_numbers`` (which ones come first, as tiles) and whatever else is worth keeping.
        intervals: lower and upper end by number's name.
        n: how many things a number was computed from, by number's name.
        sections: tables, plots and pictures; see `vidi.report`.
    """

    kind: str
    numbers: dict[str, float | None] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    n: dict[str, int] = field(default_factory=dict)
    sections: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as `save` writes them."""
        intervals = {name: pair for name, pair in plain(self.intervals).items() if pair is not None and None not in pair}
        return {
            "format": FORMAT, "version": VERSION, "kind": self.kind, "numbers": plain(self.numbers), "intervals": intervals,
            "n": plain(self.n), "about": plain(self.about), "sections": plain(self.sections),
        }  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the report as JSON, whole or not at all."""
        write_json(Path(path), self.to_dict())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read what `save` wrote.

        Raises:
            InputError: not a report, of a later version, or damaged; `at` says where.
        """
        return cls.from_dict(read_json(Path(path)), file=path)

    @classmethod
    def from_dict(cls, values: Any, file: Any = None) -> Report:
        """The inverse of `to_dict`.

        Raises:
            InputError: not such a dict; `at` says where.
        """
        _check(values, file)
        intervals = {name: (low, high) for name, (low, high) in values["intervals"].items()}
        return cls(values["kind"], values["numbers"], values["about"], intervals, values["n"], values["sections"])

    def summary(self) -> dict[str, Any]:
        """The object that ``--json`` prints: kind, numbers, and about with n and intervals."""
        values = self.to_dict()
        about = values["about"] | {
            "n": values["n"],
            "intervals": {name: list(pair) for name, pair in values["intervals"].items()},
        }
        return {"kind": self.kind, "numbers": values["numbers"], "about": about}

    def html(self, path: str | Path) -> Path:
        """Write a page with everything inside it: no network, no script, light and dark, for screens, phones and paper."""
        from vidi.report._page import page

        write_text(Path(path), page(self))
        return Path(path)

    def text(self) -> str:
        """The numbers for a terminal, aligned, without a newline at the end."""
        from vidi.report._text import text

        return text(self)


def _check(values: Any, file: Any) -> None:
    """Refuse what is not a report of this version."""

    def refuse(rule: str, at: str, value: Any = None, fix: str | None = None) -> InputError:
        return InputError(rule, file=file, at=at, value=value, fix=fix)

    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise refuse("not a vidi report", "/format", fix="give the report.json that a vidi command wrote")
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise refuse("expected a version number", "/version", version)
    if version > VERSION:
        raise refuse(f"written by a later vidi (version {VERSION} is known)", "/version", version, "update vidi")
    known = ["format", "version", "kind", *_FIELDS]
    for key in values:
        if key not in known:
            close = nearest(key, known)
            raise refuse("unknown key", f"/{key}", fix=f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}")
    if not isinstance(values.get("kind"), str):
        raise refuse("expected text", "/kind", values.get("kind"))
    for key, kind in _FIELDS.items():
        if not isinstance(values.get(key), kind):
            raise refuse(f"expected {'an object' if kind is dict else 'a list'}", f"/{key}", type(values.get(key)).__name__)
    for name, value in values["numbers"].items():
        if value is not None and not _is_number(value):
            raise refuse("expected a number or null", f"/numbers/{name}", value)
    for name, pair in values["intervals"].items():
        if not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_number, pair)) or pair[0] > pair[1]:
            raise refuse("expected [lower, upper]", f"/intervals/{name}", pair)
    for name, value in values["n"].items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise refuse("expected a whole number, 0 or more", f"/n/{name}", value)
    for index, section in enumerate(values["sections"]):
        if not isinstance(section, dict) or not isinstance(section.get("kind"), str):
            raise refuse("expected an object with a kind", f"/sections/{index}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

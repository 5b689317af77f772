"""The errors vidi raises on purpose.

    VidiError
    ├── InputError            exit 2   what the user gave is refused
    │   ├── DataError                  a data set, table or label
    │   ├── ImageError                 one picture
    │   ├── ModelError                 a model or checkpoint file
    │   ├── RecipeError                a setting
    │   ├── ChoiceError                a name that nothing answers to
    │   └── TrainError                 training that cannot go on
    ├── ResourceError         exit 3   disk, memory, size limits
    └── StoppedEarly          exit 75  stopped on request, can be resumed

Every error prints as one line, ``error: CODE file=… at=… value=… rule=… fix=…``, and anything else that reaches
the command line is a bug in vidi (exit 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def _one_line(value: Any, limit: int = 160) -> str:
    """The value on one printable line of at most `limit` characters (control and direction marks escaped)."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


class VidiError(Exception):
    """Base of all deliberate errors.

    Args:
        rule: what is allowed, or what went wrong, in a few words.
        file: the file concerned.
        at: where in it: a JSON pointer, line, field or index.
        value: what stood there.
        fix: what to do about it.
    """

    code = "VIDI"
    exit_code = 1

    def __init__(self, rule: str, *, file: Any = None, at: Any = None, value: Any = None, fix: str | None = None):
        self.rule, self.file, self.at, self.value, self.fix = rule, file, at, value, fix
        super().__init__(rule)

    def fields(self) -> dict[str, str]:
        """The parts that are known, each as one line of text, in printing order."""
        parts = {"file": self.file, "at": self.at, "value": self.value, "rule": self.rule, "fix": self.fix}
        return {
            key: _one_line(part, 160 if key in ("at", "value") else 2000) for key, part in parts.items() if part is not None
        }

    def __str__(self) -> str:
        return f"error: {self.code} " + " ".join(f"{key}={part}" for key, part in self.fields().items())

    def __reduce__(self):
        return _rebuild, (type(self), self.rule, self.file, self.at, self.value, self.fix)


def _rebuild(kind: type[VidiError], rule: str, file: Any, at: Any, value: Any, fix: str | None) -> VidiError:
    return kind(rule, file=file, at=at, value=value, fix=fix)


class InputError(VidiError):
    code, exit_code = "INPUT", 2


class DataError(InputError):
    code = "DATA"


class ImageError(InputError):
    code = "IMAGE"


class ModelError(InputError):
    code = "MODEL"


class RecipeError(InputError):
    code = "RECIPE"


class ChoiceError(InputError):
    code = "CHOICE"


class TrainError(InputError):
    code = "TRAIN"


class ResourceError(VidiError):
    code, exit_code = "RESOURCE", 3


class StoppedEarly(VidiError):
    code, exit_code = "STOPPED", 75


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names closest to a misspelled one, best first (at most `count`)."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)

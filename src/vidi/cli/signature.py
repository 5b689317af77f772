"""What a verb takes, read from its function: arguments, types, defaults and the words of its docstring."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from vidi.core.discovery import room_path


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a verb."""

    name: str
    kind: str
    default: Any
    required: bool
    positional: bool
    many: bool
    words: str


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command line.

    Args:
        open: takes further settings beyond its arguments.
    """

    name: str
    words: str
    function: Callable[..., Any]
    arguments: dict[str, Argument]
    open: bool
    settings_words: str = ""
    returns: str = ""
    notes: list[str] = field(default_factory=list)


def verb_names() -> dict[str, str]:
    """Every verb with the first line of its module, without importing any."""
    found = {}
    for path in sorted(room_path("verbs").glob("[a-z]*.py")):
        found[path.stem] = _first_line(path)
    return found


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0].rstrip(".") if text else ""


def load_verb(name: str) -> Verb:
    """A verb's function and arguments."""
    function = getattr(import_module(f"vidi.verbs.{name}"), name)
    text = inspect.getdoc(function) or ""
    words = _argument_words(text)
    arguments, is_open = {}, False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
            continue
        note = words.get(parameter.name, "")
        if "(Python only)" in note:
            continue
        kind = str(parameter.annotation) if parameter.annotation is not parameter.empty else "str"
        arguments[parameter.name] = Argument(
            parameter.name, kind, None if parameter.default is parameter.empty else parameter.default, parameter.default is parameter.empty,
            parameter.kind is not parameter.KEYWORD_ONLY, "list" in kind or parameter.kind is parameter.VAR_POSITIONAL, note,
        )  # fmt: skip
    returns = re.search(r"^Returns:\n((?:    .*\n?)+)", text, re.M)
    first = text.split("\n\nArgs:")[0]
    return Verb(name, first, function, arguments, is_open, words.get("settings", ""), _joined(returns.group(1)) if returns else "")


def _argument_words(text: str) -> dict[str, str]:
    block = re.search(r"^Args:\n((?:    .*\n?|\n)+)", text + "\n", re.M)
    if not block:
        return {}
    found: dict[str, str] = {}
    current = None
    for line in block.group(1).splitlines():
        start = re.match(r"^    \*{0,2}(\w+): (.*)$", line)
        if start:
            current = start.group(1)
            found[current] = start.group(2)
        elif current and line.strip():
            found[current] += " " + line.strip()
    return found


def _joined(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())

"""Recipe entries such as ``rotate(degrees=30, p=0.5)`` or ``./mine.py(strength=2)``, read and written."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
import sys
import types
import typing
from collections.abc import Sequence
from typing import Any

from vidi.core.augmentation import Augmentation
from vidi.core.discovery import load
from vidi.core.recipe import split_list
from vidi.errors import RecipeError, nearest

_ENTRY = re.compile(r"\s*(?P<name>[^()]+?)\s*(?:\((?P<settings>.*)\))?\s*", re.DOTALL)
_WORDS = {"true": True, "false": False, "none": None, "null": None}


def parse(entries: Sequence[str] | str | None) -> list[Augmentation]:
    """The augmentations that recipe entries ask for.

    Args:
        entries: ``name``, ``name(key=value, …)`` or a path to a .py file instead of a name, as a list or in one text with commas;
            None, an empty list or ``none`` is no augmentation.

    Raises:
        RecipeError: an entry that cannot be read, an unknown setting, or a value of a wrong type or out of range.
        ChoiceError: nothing answers to a name.
    """
    if entries is None or entries == "none":
        return []
    return [_one(entry) for entry in (split_list(entries) if isinstance(entries, str) else entries) if entry != "none"]


def find(name: str) -> type[Augmentation]:
    """The augmentation class behind a name or a path to a .py file: the only public one that the file defines."""
    module = load("augmentations", name)
    found = [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, Augmentation)
        and member.__module__ == module.__name__
        and not member.__name__.startswith("_")
    ]
    if len(found) != 1:
        what = ", ".join(member.__name__ for member in found) or "none"
        raise RecipeError("the file must define exactly one public subclass of Augmentation", file=module.__file__, value=what)
    return found[0]


def describe(augmentation: Augmentation) -> str:
    """The recipe entry, with all settings, from which `parse` makes an equal augmentation."""
    kind = type(augmentation)
    home, _, stem = kind.__module__.rpartition(".")
    name = stem if home == "vidi.augmentations" else str(getattr(sys.modules.get(kind.__module__), "__file__", kind.__name__))
    settings = [f"{field.name}={_written(getattr(augmentation, field.name))}" for field in dataclasses.fields(augmentation)]
    return f"{name}({', '.join(settings)})"


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _one(entry: str) -> Augmentation:
    match = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
    if match is None:
        raise RecipeError("not an augmentation", at="augment", value=entry, fix="write `name` or `name(key=value, …)`")
    kind = find(match["name"])
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    settings: dict[str, Any] = {}
    for item in split_list(match["settings"] or ""):
        key, equals, text = (part.strip() for part in item.partition("="))
        where = f"augment: {match['name']}.{key}"
        if not equals:
            raise RecipeError("a setting needs a name", at=f"augment: {match['name']}", value=item, fix=f"key=value, keys: {', '.join(known)}")
        if key not in known:
            close = nearest(key, known)
            raise RecipeError(
                "unknown setting", at=where, fix=f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known)}"
            )
        if key in settings:
            raise RecipeError("setting given twice", at=where, value=text)
        settings[key] = _converted(_read(text), hints[key], where)
    return kind(**settings)


def _read(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _converted(value: Any, hint: Any, where: str) -> Any:
    """The value as the type a setting wants."""
    for option in typing.get_args(hint) if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union else (hint,):
        fits, made = _fitted(value, option)
        if fits:
            return made
    name = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
    raise RecipeError("wrong type of value", at=where, value=value, fix=f"expected {name}")


def _fitted(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether the value is of the type, and the value in it."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if hint is float:
        return number, float(value) if number else None
    if hint is int:
        whole = number and value == int(value)
        return whole, int(value) if whole else None
    if hint is bool or hint is type(None):
        return isinstance(value, hint), value
    if hint is str:
        return isinstance(value, str), value
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint), value
    if typing.get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        wanted = typing.get_args(hint)
        wanted = wanted[:1] * len(value) if wanted[1:] == (Ellipsis,) else wanted
        parts = [_fitted(part, want) for part, want in zip(value, wanted)]
        return len(value) == len(wanted) and all(fits for fits, _ in parts), tuple(part for _, part in parts)
    return False, None

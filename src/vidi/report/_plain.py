"""Values as JSON can hold them, and text as eyes can trust it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The same value out of dicts, lists, strings, finite numbers, booleans and None; NaN and infinity become None."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [plain(item) for item in sorted(value, key=str)]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return plain(value.item()) if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else plain(str(value))


def visible(value: Any) -> str:
    """One line of text in which control, direction and other invisible characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut in the middle, where file names differ least."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return text[:head] + "…" + text[len(text) - (limit - 1 - head) :]


def number(value: Any, signed: bool = False) -> str:
    """A number for people: about four significant digits, whole numbers in full with thin spaces, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        text = f"{value:.2e}"
    elif size >= 10_000:
        text = f"{value:,.0f}".replace(",", "\u2009")
    elif isinstance(value, int) or (size >= 10 and float(value).is_integer()):
        text = f"{value:.0f}"
    else:
        decimals = 3 - math.floor(math.log10(size)) if size > 1 else 4 if size >= 0.001 or size == 0 else 6
        text = f"{value + 0.0:.{decimals}f}"
    return ("+" if signed and value > 0 else "") + text.replace("-", "−")


def cell(value: Any) -> str:
    """Any plain value on one line."""
    if value is None or isinstance(value, (bool, int, float)):
        return number(value)
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

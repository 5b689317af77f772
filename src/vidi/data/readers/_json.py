"""JSON documents of annotations: numbers as they stand, faults by their place."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeGuard

from vidi.core.files import read_text
from vidi.data.readers._ask import Faults
from vidi.errors import DataError

LIMIT = 8 << 30


def load(path: Path, faults: Faults) -> dict[str, Any]:
    """The object in a file. Keys that stand twice in one object are faults; NaN and Infinity are read as numbers.

    Raises:
        DataError: not JSON, nested too deeply, or no object.
        InputError: not a regular file, or not UTF-8.
    """
    text = read_text(path, LIMIT)
    doubled: list[tuple[dict, str]] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            doubled.extend((values, key) for key, count in counts.items() if count > 1)
        return values

    try:
        value = json.loads(text, object_pairs_hook=build)
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", file=path, at=f"line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise DataError("JSON nested too deeply", file=path, fix="at most about 1000 levels") from None
    except ValueError as error:
        raise DataError(f"not JSON: {error}", file=path) from None
    if doubled:
        places = _pointers(value, {id(values) for values, _ in doubled})
        for values, key in doubled:
            faults.add("a key stands twice in one object", file=path, at=f"{places.get(id(values), '')}/{escape(key)}", fix="keep one of the two")
    if not isinstance(value, dict):
        raise DataError("expected an object with images and annotations", file=path, value=type(value).__name__)
    return value


def escape(key: str) -> str:
    """A key as part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _pointers(value: Any, wanted: set[int]) -> dict[int, str]:
    """JSON pointers of some objects, by their identity."""
    found: dict[int, str] = {}
    pending = [(value, "")]
    while pending:
        item, place = pending.pop()
        if id(item) in wanted:
            found[id(item)] = place
        if isinstance(item, dict):
            pending += [(child, f"{place}/{escape(key)}") for key, child in item.items()]
        elif isinstance(item, list):
            pending += [(child, f"{place}/{i}") for i, child in enumerate(item)]
    return found


def is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)

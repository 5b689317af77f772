"""Sizes as they are written."""

from __future__ import annotations

import math

from vidi.errors import InputError


def parse_size(value: str | float, at: str) -> float:
    """A size in units of the pixel range 0..1: ``2/255``, ``0.01`` or a number.

    Raises:
        InputError: neither, not positive, or not finite.
    """
    try:
        top, slash, bottom = str(value).partition("/")
        size = float(top) / (float(bottom) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        raise InputError("not a size", at=at, value=value, fix="a number or a fraction, in units of the pixel range: 0.01 or 2/255") from None
    if not math.isfinite(size) or size <= 0:
        raise InputError("a size is finite and positive", at=at, value=value)
    return size

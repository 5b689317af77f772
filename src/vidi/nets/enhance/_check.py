"""Settings of steps, checked, and what several steps do with pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from vidi.errors import InputError
from vidi.ops.color import luma


def number(step: str, name: str, value: Any, low: float, high: float) -> float:
    """A setting as a number from `low` to `high`.

    Raises:
        InputError: something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"expected a number from {low:g} to {high:g}", at=f"{step}({name})", value=value)
    return float(value)


def odd(step: str, name: str, value: Any, low: int, high: int) -> int:
    """A setting as an odd whole number of pixels.

    Raises:
        InputError: something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value % 2 == 0 or not low <= value <= high:
        raise InputError(f"expected an odd number of pixels from {low} to {high}", at=f"{step}({name})", value=value)
    return value


def choice(step: str, name: str, value: Any, known: tuple[str, ...]) -> str:
    """A setting as one of some words.

    Raises:
        InputError: something else.
    """
    if value not in known:
        raise InputError(f"expected {' or '.join(known)}", at=f"{step}({name})", value=value)
    return value


def brightness(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, 1, H, W): as the eye weighs red, green and blue; of other channels the mean."""
    return luma(x) if x.shape[1] == 3 else x.mean(1, keepdim=True)


def on_brightness(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """RGB pictures whose brightness (B, 1, H, W) is changed and whose color differences (Cb, Cr) stay; of other pictures each channel alone."""
    b, c, h, w = x.shape
    if c != 3:
        return change(x.reshape(b * c, 1, h, w)).reshape(x.shape)
    before = luma(x)
    return (x + (change(before) - before)).clamp(0, 1)

"""Labels out of class names, integers and numbers, as the wanted task has them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vidi.core.space import Space
from vidi.data.readers._ask import Ask
from vidi.errors import DataError
from vidi.labels import Classification, Label, Regression


def class_space(names: Sequence[str], ask: Ask) -> Space:
    """Exclusive classes, unless the task has several at once."""
    return Space("Classification", tuple(names), exclusive=ask.columns != "classes")


def shared_labels(names: Sequence[str], ask: Ask, *, file: object, value_name: str = "value") -> tuple[Space, list[Label]]:
    """What the labels mean, and one label per class, to be shared by all its samples.

    With a task that reads numbers, class names must be numbers, and their values are the labels.

    Raises:
        DataError: the task reads numbers and a class name is none.
    """
    if ask.columns != "numbers":
        return class_space(names, ask), [Classification.one_hot(i, len(names)) for i in range(len(names))]
    values = [number(name) for name in names]
    for name, value in zip(names, values):
        if value is None or math.isnan(value):
            raise DataError(
                "the task reads numbers, and a class name is none", file=file, value=name,
                fix="use a table with a column of numbers, or a task for classes",
            )  # fmt: skip
    return Space("Regression", (value_name,)), [Regression(np.array([value], np.float32)) for value in values]


_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})


def number(text: str, decimal: str = ".") -> float | None:
    """The number a cell spells; NaN for a missing one; None when it is no finite number."""
    text = text.strip()
    if text.casefold() in _MISSING:
        return math.nan
    if "_" in text:
        return None
    try:
        value = float(text.replace(decimal, ".") if decimal != "." else text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

"""What the metrics share: reading stacked labels, weighted means, and decisions.

An *estimator* maps sample weights (R, N) to each number's R values, NaN where it is not defined. Weights of one give the
number itself; the counts of a bootstrap resample give the number of that resample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.errors import InputError

Estimator = Callable[[np.ndarray], dict[str, np.ndarray]]

SHOWN_CLASSES = 50
DRAWN_CLASSES = 10


def point(estimator: Estimator, count: int) -> dict[str, float | None]:
    """The numbers of an estimator over `count` samples that weigh the same; None where undefined."""
    return {name: plain(values[0]) for name, values in estimator(np.ones((1, count))).items()}


def plain(value: Any) -> float | None:
    """A JSON number; None for NaN, infinities and None."""
    return None if value is None or not np.isfinite(value) else float(value)


def ratio(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """upper / lower, NaN where lower is 0."""
    upper, lower = np.broadcast_arrays(np.asarray(upper, np.float64), np.asarray(lower, np.float64))
    return np.divide(upper, lower, out=np.full(upper.shape, np.nan), where=lower != 0)


def mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted means over samples: (R, N) weights and (N,) or (N, D) values, NaN left out → (R,) or (R, D)."""
    known = ~np.isnan(values)
    return ratio(weights @ np.where(known, values, 0.0), weights @ known.astype(np.float64))


def mean_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without NaN; NaN where all are."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1))


def names_of(space: Space, count: int) -> list[str]:
    """The names of `count` classes or values; their index where the space has none."""
    return [space.names[i] if i < len(space.names) else str(i) for i in range(count)]


def class_indices(truth: np.ndarray) -> np.ndarray:
    """The true class of each sample, (N,) int64, −1 where it is not known.

    Of soft truth (N, C) it is the most probable class. With some classes unknown (NaN), it must have more than one half.
    """
    if truth.shape[1] == 0:
        return np.full(len(truth), -1)
    unknown = np.isnan(truth)
    filled = np.where(unknown, -np.inf, truth)
    top = filled.argmax(1)
    best = filled[np.arange(len(truth)), top]
    return np.where((best > 0.5) | ((best > 0) & ~unknown.any(1)), top, -1)


def top_class(predicted: np.ndarray) -> np.ndarray:
    """The most probable class of each sample, (N,) int64; of equal ones the first."""
    return predicted.argmax(1) if predicted.shape[1] else np.full(len(predicted), -1)


def sides(truth: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Which classes are present and which are known, both (N, C) bool."""
    if not space.exclusive:
        known = ~np.isnan(truth)
        return known & (np.where(known, truth, 0) >= 0.5), known
    index = class_indices(truth)
    present = index[:, None] == np.arange(truth.shape[1])
    return present, np.broadcast_to((index >= 0)[:, None], truth.shape)


def decided(predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> np.ndarray:
    """Which classes are predicted, (N, C) bool: the top class, or those whose probability reaches their threshold."""
    if not space.exclusive:
        return predicted >= thresholds(settings, space, predicted.shape[1])
    return top_class(predicted)[:, None] == np.arange(predicted.shape[1])


def thresholds(settings: Mapping[str, Any], space: Space, count: int) -> np.ndarray:
    """The thresholds in use, (C,) float64, from ``settings["thresholds"]``: one number, one per class, or by class name.

    Classes that are not named, and all of them without the setting, have 0.5.
    """
    given = settings.get("thresholds")
    if given is None:
        return np.full(count, 0.5)
    if isinstance(given, Mapping):
        names = names_of(space, count)
        if unknown := sorted(set(map(str, given)) - set(names)):
            raise InputError("a threshold names a class that is not there", at="thresholds", value=unknown[0])
        values = np.array([given.get(name, 0.5) for name in names], dtype=np.float64)
    else:
        values = np.asarray(given, dtype=np.float64)
    if values.shape not in ((), (1,), (count,)):
        raise InputError(f"expected one threshold, or one for each of {count} classes", at="thresholds", value=values.shape)
    if not np.isfinite(values).all():
        raise InputError("thresholds must be finite", at="thresholds", value=values)
    return np.broadcast_to(values, (count,)).copy()


def row_blocks(array: np.ndarray, entries: int = 4_000_000) -> Iterator[slice]:
    """Slices over the first axis that hold about `entries` values each."""
    step = max(1, entries // max(1, int(np.prod(array.shape[1:], dtype=np.int64))))
    return (slice(start, start + step) for start in range(0, len(array), step))


def rounded(values: np.ndarray, digits: int = 4) -> list:
    """Nested lists of rounded numbers, None for NaN."""
    array = np.round(np.asarray(values, np.float64), digits)
    boxed = array.astype(object)
    boxed[~np.isfinite(array)] = None
    return boxed.tolist()


def table(title: str, columns: list[str], rows: list[list], worst: np.ndarray) -> dict[str, Any]:
    """A table figure; of many rows the worst, those with the lowest `worst` (NaN: last), are kept."""
    if len(rows) > SHOWN_CLASSES:
        title = f"{title} (the worst {SHOWN_CLASSES} of {len(rows)})"
        rows = [rows[i] for i in np.argsort(worst, kind="stable")[:SHOWN_CLASSES]]
    return {"kind": "table", "title": title, "columns": columns, "rows": rows}


def drawn_classes(quality: np.ndarray) -> np.ndarray:
    """Indices, rising, of the classes to draw: of the defined ones at most ten, those of the lowest quality."""
    order = np.argsort(quality, kind="stable")
    return np.sort(order[: min(DRAWN_CLASSES, int((~np.isnan(quality)).sum()))])

"""Which classes are taken for which: figures only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import SHOWN_CLASSES, class_indices, names_of, ratio, rounded, top_class

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = True
HIGHER_IS_BETTER: dict[str, bool] = {}

MATRIX_CLASSES = 60


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Samples by true class (rows) and predicted class (columns), (C, C) int64, of (N, C) truth and probabilities."""
    index, count = class_indices(truth), truth.shape[1]
    known = index >= 0
    flat = index[known] * count + top_class(predicted)[known]
    return np.bincount(flat, minlength=count**2).reshape(count, count)


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """No numbers."""
    return {}


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The matrix as counts and as shares of each true class (up to 60 classes), and the table of the most frequent errors."""
    if truth.size == 0:
        return []
    names, found = names_of(space, truth.shape[1]), []
    axes = {"rows": names, "columns": names, "xlabel": "predicted", "ylabel": "true"}
    matrix = confusion_matrix(truth, predicted)
    share = ratio(matrix, matrix.sum(1, keepdims=True))
    if len(names) <= MATRIX_CLASSES:
        found.append({"kind": "matrix", "title": "Confusion matrix", **axes, "values": matrix.tolist()})
        found.append({"kind": "matrix", "title": "Confusion matrix, share of the true class", **axes, "values": rounded(share)})
    errors = matrix * (1 - np.eye(len(names), dtype=np.int64))
    true, taken = np.nonzero(errors)
    order = np.argsort(-errors[true, taken], kind="stable")[: SHOWN_CLASSES if len(names) > MATRIX_CLASSES else 10]
    rows = [
        [names[t], names[p], int(matrix[t, p]), round(float(share[t, p]), 4)] for t, p in zip(true[order], taken[order])
    ]
    if rows:
        columns = ["true", "predicted", "n", "share of the true class"]
        found.append({"kind": "table", "title": "Most frequent confusions", "columns": columns, "rows": rows})
    return found

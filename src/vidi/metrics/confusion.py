"""Which classes are taken for which: figures only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import class_indices, names_of, ratio, rounded, top_class
from vidi.metrics._confusions import MATRIX_CLASSES, most_frequent

FAMILIES = frozenset({"Classification"})
EXCLUSIVE = True
HIGHER_IS_BETTER: dict[str, bool] = {}


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
    return found + most_frequent(matrix, share, names)

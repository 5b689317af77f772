"""The table of what is most often taken for what."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidi.metrics._arrays import SHOWN_CLASSES

MATRIX_CLASSES = 60
"""Up to so many classes a confusion matrix is drawn."""


def most_frequent(matrix: np.ndarray, share: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """The ten most frequent errors, or more where the matrix is too large to draw; no figure without errors.

    Args:
        matrix: (C, C) how often each true class (rows) is taken for each other.
        share: (C, C) the same as a share of the true class.
        names: of the C classes.
    """
    errors = matrix * (1 - np.eye(len(names), dtype=np.int64))
    true, taken = np.nonzero(errors)
    order = np.argsort(-errors[true, taken], kind="stable")[: SHOWN_CLASSES if len(names) > MATRIX_CLASSES else 10]
    rows = [[names[t], names[p], int(matrix[t, p]), round(float(share[t, p]), 4)] for t, p in zip(true[order], taken[order])]
    columns = ["true", "predicted", "n", "share of the true class"]
    return [{"kind": "table", "title": "Most frequent confusions", "columns": columns, "rows": rows}] if rows else []

"""Rows to columns at the least total cost, where pairs that cost too much stay apart."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(cost: np.ndarray, gate: float, greedy: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The pairs, each row and column at most once, that together cost least when one left out costs `gate`.

    So a pair at or above the gate is never made, and never keeps two cheap pairs apart. The same costs give the same pairs.

    Args:
        cost: (N, M) float; inf forbids, NaN does too.
        gate: finite; pairs must cost less.
        greedy: take the cheapest pair first instead, ties by row, then by column.

    Returns:
        rows (K,) int64 rising and their columns (K,) int64.

    Raises:
        ValueError: a cost that is no matrix, or a gate that is not finite.
    """
    cost = np.asarray(cost, np.float64)
    if cost.ndim != 2:
        raise ValueError(f"cost: expected shape (N, M), got {cost.shape}")
    if not np.isfinite(gate):
        raise ValueError(f"gate: expected a finite number, got {gate}")
    open_ = cost < gate
    if not open_.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    clipped = np.where(open_, cost, gate)
    rows, columns = _greedy(clipped, gate) if greedy else linear_sum_assignment(clipped)
    kept = open_[rows, columns]
    return rows[kept], columns[kept]


def _greedy(cost: np.ndarray, gate: float) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(cost, axis=None, kind="stable")
    free_rows, free_columns, pairs = np.ones(cost.shape[0], bool), np.ones(cost.shape[1], bool), []
    for place in order[: np.count_nonzero(cost < gate)].tolist():
        row, column = divmod(place, cost.shape[1])
        if free_rows[row] and free_columns[column]:
            free_rows[row] = free_columns[column] = False
            pairs.append((row, column))
    found = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]

"""Tracks as columns of equal length, so that a frame's work is done for all of them at once."""

from __future__ import annotations

import numpy as np


class Table:
    """Named arrays with one row per track, in the order of birth."""

    def __init__(self) -> None:
        self._columns: dict[str, np.ndarray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def __setitem__(self, name: str, values: np.ndarray) -> None:
        self._columns[name] = values

    def copy(self) -> dict[str, np.ndarray]:
        """All columns, to be kept."""
        return {name: values.copy() for name, values in self._columns.items()}

    def add(self, rows: dict[str, np.ndarray]) -> None:
        """Appends rows; the first ones decide the columns and their kinds."""
        self._count += len(next(iter(rows.values())))
        for name, values in rows.items():
            old = self._columns.get(name)
            self._columns[name] = values if old is None else np.concatenate([old, values.astype(old.dtype, copy=False)])

    def keep(self, chosen: np.ndarray) -> None:
        """Drops the rows where `chosen` (N,) bool is False."""
        self._columns = {name: values[chosen] for name, values in self._columns.items()}
        self._count = int(np.count_nonzero(chosen))

"""Pooled features have one finite row per picture and tell pictures apart."""

from __future__ import annotations

import numpy as np

import vidi
from vidi.testing.matrix._cell import Found
from vidi.testing.matrix._row import Row

COUNT = 8


def check(row: Row) -> Found:
    folder = row.folder()
    vidi.features(row.model, row.pictures(COUNT), out=str(folder), pictures=1)
    with np.load(folder / "features.npz") as file:
        values = file["features"]
    fine = values.ndim == 2 and len(values) == COUNT and bool(np.isfinite(values).all())
    spread = float(values.std(0).mean()) if fine else 0.0
    return Found(fine and spread > 0, f"{'×'.join(map(str, values.shape))}, finite", {"rows": len(values), "width": values.shape[-1]})

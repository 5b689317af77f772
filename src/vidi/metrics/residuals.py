"""How predicted values lie about the true ones: figures only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import names_of

FAMILIES = frozenset({"Regression"})
EXCLUSIVE = None
HIGHER_IS_BETTER: dict[str, bool] = {}

DRAWN_VALUES = 8
DRAWN_POINTS = 1000
BINS = 21


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """No numbers."""
    return {}


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each of the first eight values: predicted over true (at most 1000 points), and a histogram of the differences."""
    names, found = names_of(space, truth.shape[1]), []
    if len(names) > DRAWN_VALUES:
        text = f"The first {DRAWN_VALUES} of {len(names)} values are drawn."
        found.append({"kind": "text", "title": "Residuals", "text": text})
    for d, name in enumerate(names[:DRAWN_VALUES]):
        known = ~np.isnan(truth[:, d])
        if known.any():
            found += _of_value(truth[known, d].astype(np.float64), predicted[known, d].astype(np.float64), name)
    return found


def _of_value(truth: np.ndarray, predicted: np.ndarray, name: str) -> list[dict[str, Any]]:
    shown = np.arange(len(truth))
    title = f"{name}: predicted over true"
    if len(truth) > DRAWN_POINTS:
        shown = np.sort(np.random.default_rng(0).choice(len(truth), DRAWN_POINTS, replace=False))
        title += f" ({DRAWN_POINTS} of {len(truth)} samples)"
    points = {"x": truth[shown].tolist(), "y": predicted[shown].tolist()}
    residual = predicted - truth
    widest = float(np.abs(residual).max()) or 1.0
    count, edges = np.histogram(residual, bins=BINS, range=(-widest, widest))
    labels = [f"{center:.3g}" for center in (edges[1:] + edges[:-1]) / 2]
    return [
        {"kind": "scatter", "title": title, "xlabel": "true", "ylabel": "predicted", **points, "diagonal": True},
        {
            "kind": "bars",
            "title": f"{name}: predicted − true (mean {residual.mean():.3g}, standard deviation {residual.std():.3g})",
            "labels": labels,
            "values": count.tolist(),
            "low": [],
            "high": [],
        },
    ]

"""How well like pictures find each other by their vectors, also those of classes that training never saw.

Source: Musgrave, Belongie, Lim 2020, "A Metric Learning Reality Check", arXiv:2003.08505 (MAP@R, R-precision); Jégou, Douze, Schmid 2011 (recall
at k: whether one of the k nearest is right).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, class_indices, mean, names_of, point, rounded, table
from vidi.metrics._neighbors import Search, ranked

FAMILIES = frozenset({"Classification"})
PREDICTS = "Embedding"
EXCLUSIVE = True
HIGHER_IS_BETTER = {"recall_at_1": True, "recall_at_5": True, "recall_at_10": True, "map_at_r": True, "r_precision": True}

RANKS = (1, 5, 10)


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    values = _by_query(truth, predicted, settings)
    return lambda weights: {name: mean(weights, value) for name, value in values.items()}


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``recall_at_1 recall_at_5 recall_at_10 map_at_r r_precision``, each the mean over queries, 0..1.

    Every sample searches among all others; with ``settings["query"]`` (N,) bool, those marked search among those not marked. With
    ``settings["cameras"]`` (N,), samples of the query's own class and camera are left out. A query without another of its class to be
    found is left out; None where all are, or where the gallery is of one class, so that nothing could be got wrong.

    ``recall_at_1`` is also called precision at 1, or rank-1: whether the nearest is of the query's class. With R others of the class,
    ``r_precision`` is their share among the R nearest, and ``map_at_r`` the mean over the R ranks of the precision down to each rank
    that is a hit. Neither is fooled by a few near copies, as recall is.

    Args:
        truth: (N, C), the most probable class counts.
        predicted: (N, D) vectors, compared by angle.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """The queries behind each number."""
    search = _search(truth, np.zeros((len(truth), 0)), settings) if truth.size else None
    queries = 0 if search is None or not search.possible else int((search.relevant() > 0).sum())
    return dict.fromkeys(HIGHER_IS_BETTER, queries)


def badness(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> np.ndarray:
    """1 − average precision at R of each sample as a query, (N,); NaN where it is none."""
    return 1 - _by_query(truth, predicted, settings)["map_at_r"]


def figures(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table of classes: queries, their recalls and average precision."""
    values = _by_query(truth, predicted, settings)
    classes, defined = class_indices(truth), ~np.isnan(values["map_at_r"])
    if not defined.any():
        return []
    found = np.unique(classes[defined])
    member = (classes[None] == found[:, None]) & defined
    means = {name: mean(member.astype(np.float64), value) for name, value in values.items()}
    names = names_of(space, truth.shape[1])
    columns = [[names[i] for i in found], member.sum(1).tolist(), *(rounded(value) for value in means.values())]
    return [table("Classes", ["class", "queries", *means], [list(row) for row in zip(*columns)], means["map_at_r"])]


def _search(truth: np.ndarray, predicted: np.ndarray, settings: Mapping[str, Any]) -> Search:
    query, cameras = (None if settings.get(name) is None else np.asarray(settings[name]) for name in ("query", "cameras"))
    return Search(predicted, class_indices(truth), query if query is None else query.astype(bool), cameras)


def _by_query(truth: np.ndarray, predicted: np.ndarray, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Each number of each sample, (N,) float64; NaN where it is no query."""
    values = {name: np.full(len(truth), np.nan) for name in HIGHER_IS_BETTER}
    if truth.size == 0:
        return values
    search = _search(truth, predicted, settings)
    if not search.possible:
        return values
    for block, relevant, hits in ranked(search, max(RANKS)):
        some = relevant > 0
        inside = hits & (np.arange(hits.shape[1]) < relevant[:, None])
        precision = inside.cumsum(1) / np.arange(1, hits.shape[1] + 1)
        found = {f"recall_at_{k}": hits[:, :k].any(1).astype(np.float64) for k in RANKS}
        found["map_at_r"] = (precision * inside).sum(1) / np.maximum(relevant, 1)
        found["r_precision"] = inside.sum(1) / np.maximum(relevant, 1)
        for name, value in found.items():
            values[name][block] = np.where(some, value, np.nan)
    return values

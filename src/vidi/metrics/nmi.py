"""How far clusters of the vectors are the classes: normalized mutual information with as many k-means clusters as there are classes.

Source: Strehl and Ghosh 2002; the normalization is by the mean of the entropies. Musgrave et al. 2020 (arXiv:2003.08505) show that it tells little
about retrieval, so no task computes it unless asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.metrics._arrays import Estimator, class_indices, point, ratio
from vidi.metrics._neighbors import unit

FAMILIES = frozenset({"Classification"})
PREDICTS = "Embedding"
EXCLUSIVE = True
HIGHER_IS_BETTER = {"nmi": True}


def estimator(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> Estimator:
    classes = class_indices(truth)
    found = np.unique(classes[classes >= 0])
    if len(found) < 2 or len(classes) == len(found):
        return lambda weights: {"nmi": np.full(len(weights), np.nan)}
    clusters = _clusters(unit(predicted), len(found), int(settings.get("seed", 0)))
    own = (classes[:, None] == found).astype(np.float64)
    member = (clusters[:, None] == np.arange(clusters.max() + 1)).astype(np.float64)
    return lambda weights: {"nmi": _nmi(np.einsum("rn,nc,nk->rck", weights, own, member, optimize=True))}


def numbers(truth: np.ndarray, predicted: np.ndarray, space: Space, settings: Mapping[str, Any]) -> dict[str, float | None]:
    """``nmi`` in 0..1; None with fewer than two classes. Intervals take the clusters as given.

    Args:
        truth: (N, C), the most probable class counts.
        predicted: (N, D) vectors, compared by angle.
        settings: ``seed`` of k-means.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def _clusters(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors, axis=0))
    return KMeans(min(count, distinct), n_init=4, random_state=seed).fit_predict(vectors)


def _nmi(table: np.ndarray) -> np.ndarray:
    """(R, C, K) counts → (R,)."""
    share = ratio(table, table.sum((1, 2), keepdims=True))
    both, rows, columns = _entropy(share.reshape(len(share), -1)), _entropy(share.sum(2)), _entropy(share.sum(1))
    return np.where(rows + columns > 0, ratio(2 * (rows + columns - both), rows + columns), 1.0)


def _entropy(share: np.ndarray) -> np.ndarray:
    return -(share * np.log(np.where(share > 0, share, 1.0))).sum(-1)

"""From scored candidate boxes to a list of things: threshold, best first, without the doubles."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

METHODS = ("hard", "soft", "none")
CANDIDATES = 1000
_BLOCK = 128


def select(
    boxes: Any,
    scores: Any,
    *,
    conf: float = 0.05,
    iou: float = 0.6,
    max_det: int = 100,
    method: str = "hard",
    class_agnostic: bool = False,
    candidates: int = CANDIDATES,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What one picture's candidates amount to, by falling score.

    A candidate is a box with a class; one box may stand for several classes. Equal scores keep the order of boxes, then of classes,
    so the result is the same on every run.

    Args:
        boxes: (A, 4) array or CPU tensor, x1, y1, x2, y2.
        scores: (A, C) in 0..1, without background; NaN counts as no candidate.
        conf: candidates must score more than this.
        iou: see `suppress`.
        max_det: most things returned.
        method: see `suppress`.
        class_agnostic: boxes of different classes suppress each other too.
        candidates: most candidates looked at, the best ones.

    Returns:
        boxes (N, 4) float32, scores (N,) float32, classes (N,) int64.

    Raises:
        ValueError: shapes that do not fit, or no such method.
    """
    rows, kept, chosen = pick(
        boxes, scores, conf=conf, iou=iou, max_det=max_det, method=method, class_agnostic=class_agnostic, candidates=candidates
    )
    return _array(boxes)[rows], kept, chosen


def pick(
    boxes: Any,
    scores: Any,
    *,
    conf: float = 0.05,
    iou: float = 0.6,
    max_det: int = 100,
    method: str = "hard",
    class_agnostic: bool = False,
    candidates: int = CANDIDATES,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Like `select`, giving the rows (N,) int64 of the boxes instead of the boxes, for whatever else belongs to them."""
    boxes, scores = _array(boxes), _array(scores)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.ndim != 2 or len(scores) != len(boxes):
        raise ValueError(f"boxes and scores: expected shapes (A, 4) and (A, C), got {boxes.shape} and {scores.shape}")
    flat = scores.reshape(-1)
    chosen = np.flatnonzero(flat > conf)
    values = flat[chosen]
    if len(chosen) > candidates:
        least = np.partition(values, len(values) - candidates)[len(values) - candidates]
        chosen = chosen[values >= least]
        values = flat[chosen]
    order = np.argsort(-values, kind="stable")[:candidates]
    rows, classes = np.divmod(chosen[order], max(1, scores.shape[1]))
    places, kept = suppress(
        boxes[rows], values[order], None if class_agnostic else classes, iou=iou, max_det=max_det, method=method, conf=conf
    )
    return rows[places], kept, classes[places].astype(np.int64)


def suppress(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray | None = None,
    *,
    iou: float = 0.6,
    max_det: int | None = None,
    method: str = "hard",
    conf: float = 0.0,
    sigma: float = 0.5,
) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes stay when doubles go.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        scores: (N,).
        classes: (N,), boxes of different classes leave each other alone; None: all boxes compete.
        iou: ``hard`` drops a box that overlaps a better one by more than this.
        max_det: most boxes that stay; None: no limit.
        method: ``hard`` (greedy), ``soft`` (Gaussian soft-NMS: overlapped boxes lose score by exp(−IoU²/sigma), Bodla et al. 2017,
            arXiv:1704.04503), ``none`` (all stay).
        conf: ``soft`` drops what does not score more than this.
        sigma: width of the Gaussian.

    Returns:
        indices (K,) int64 by falling score, and the scores (K,) float32 they end with.

    Raises:
        ValueError: no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    boxes, scores = np.asarray(boxes, np.float32), np.asarray(scores, np.float32)
    groups = np.zeros(len(boxes), np.int64) if classes is None else np.asarray(classes)
    limit = len(boxes) if max_det is None else max(0, min(max_det, len(boxes)))
    if method == "soft":
        return _soft(boxes, scores, groups, limit, conf, sigma)
    order = np.argsort(-scores, kind="stable")
    if method == "hard":
        order = order[_hard(boxes[order], groups[order], iou, limit)]
    return order[:limit], scores[order[:limit]]


def _hard(boxes: np.ndarray, groups: np.ndarray, iou: float, limit: int) -> np.ndarray:
    """Places of greedily kept boxes, which come best first. A block at a time: overlaps inside a block, then of its survivors with
    the rest, so that few of the N² overlaps are computed."""
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left) and len(kept) < limit:
        block, left = left[:_BLOCK], left[_BLOCK:]
        doubles = _doubles(boxes, groups, block, block, iou)
        alive = np.ones(len(block), bool)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~doubles[i, i + 1 :]
        best = block[alive]
        kept.extend(best.tolist())
        if len(left) and len(kept) < limit:
            left = left[~_doubles(boxes, groups, best, left, iou).any(0)]
    return np.asarray(kept[:limit], np.int64)


def _doubles(boxes: np.ndarray, groups: np.ndarray, a: np.ndarray, b: np.ndarray, iou: float) -> np.ndarray:
    """(len(a), len(b)) bool: of one group and overlapping by more than `iou`."""
    return (_overlap(boxes[a], boxes[b]) > iou) & (groups[a][:, None] == groups[b])


def _soft(
    boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, limit: int, conf: float, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    left = np.flatnonzero(scores > conf)
    values = scores[left].astype(np.float64)
    kept: list[int] = []
    final: list[float] = []
    while len(left) and len(kept) < limit:
        best = int(values.argmax())
        winner = left[best]
        kept.append(int(winner))
        final.append(float(values[best]))
        overlap = _overlap(boxes[winner : winner + 1], boxes[left])[0] * (groups[left] == groups[winner])
        values = values * np.exp(-(overlap.astype(np.float64) ** 2) / sigma)
        alive = values > conf
        alive[best] = False
        left, values = left[alive], values[alive]
    return np.asarray(kept, np.int64), np.asarray(final, np.float32)


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) float32 IoU; 0 where the union is empty."""
    width = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    height = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = _area(a)[:, None] + _area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def _array(values: Any) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().float().numpy()
    return np.asarray(values, np.float32)

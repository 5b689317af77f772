"""Anchor shapes fitted to the widths and heights of true boxes, in numpy: k-means on overlap (Redmon and Farhadi 2017,
arXiv:1612.08242), then mutation."""

from __future__ import annotations

import numpy as np

YOLOV3_SIDE = 416
YOLOV3 = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
"""Fitted on COCO for an input of 416 pixels (Redmon and Farhadi 2018, arXiv:1804.02767)."""

_TINY = 1e-9
_CHUNK = 4096


def shape_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, K) IoU of boxes of width and height (N, 2) and (K, 2) laid over the same center."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shared = np.minimum(a[:, None, 0], b[None, :, 0]) * np.minimum(a[:, None, 1], b[None, :, 1])
    union = a.prod(1)[:, None] + b.prod(1)[None] - shared
    return shared / np.maximum(union, _TINY)


def shape_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, K) in 0..1: the smaller of the sides' ratios, each taken so that it is at most 1."""
    a, b = np.maximum(np.asarray(a, np.float64), _TINY), np.maximum(np.asarray(b, np.float64), _TINY)
    ratio = a[:, None] / b[None]
    return np.minimum(ratio, 1 / ratio).min(2)


def best_iou(shapes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(N,) largest `shape_iou` of each shape with any anchor; 0 without anchors."""
    if not len(anchors):
        return np.zeros(len(shapes))
    parts = [shape_iou(shapes[i : i + _CHUNK], anchors).max(1) for i in range(0, len(shapes), _CHUNK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def fit_scores(shapes: np.ndarray, anchors: np.ndarray, *, iou: float = 0.5, ratio: float = 4.0) -> dict[str, float | None]:
    """How well anchors suit boxes; None without boxes.

    Returns:
        ``mean_iou``: of each box with its best anchor; ``recall``: the share of boxes that some anchor overlaps by `iou`, at best;
        ``ratio_recall``: the share whose sides some anchor meets within a factor `ratio`.
    """
    if not len(shapes) or not len(anchors):
        return {"mean_iou": None, "recall": None, "ratio_recall": None}
    best = best_iou(shapes, anchors)
    sides = np.concatenate([shape_ratio(shapes[i : i + _CHUNK], anchors).max(1) for i in range(0, len(shapes), _CHUNK)])
    return {"mean_iou": float(best.mean()), "recall": float((best >= iou).mean()), "ratio_recall": float((sides > 1 / ratio).mean())}


def kmeans_anchors(shapes: np.ndarray, count: int, *, seed: int = 0, rounds: int = 100) -> np.ndarray:
    """(K, 2) widths and heights by rising area: k-means with the distance 1 − IoU, started by k-means++.

    Args:
        shapes: (N, 2) with positive sides, N at least 1.
        count: K, at least 1; where there are fewer different shapes, some anchors coincide.

    Raises:
        ValueError: no shapes, a side that is not positive and finite, or no anchors wanted.
    """
    shapes = np.asarray(shapes, np.float64)
    if shapes.ndim != 2 or shapes.shape[1] != 2 or not len(shapes) or count < 1:
        raise ValueError(f"expected shapes (N, 2) and a count of at least 1, got {shapes.shape} and {count}")
    if not (np.isfinite(shapes).all() and (shapes > 0).all()):
        raise ValueError("shapes: expected positive, finite sides")
    generator = np.random.default_rng(seed)
    centers = _spread_out(shapes, count, generator)
    owner = np.full(len(shapes), -1)
    for _ in range(rounds):
        overlap = shape_iou(shapes, centers)
        nearest = overlap.argmax(1)
        if (nearest == owner).all():
            break
        owner = nearest
        lonely = np.argsort(overlap.max(1), kind="stable")
        for k in range(count):
            mine = shapes[owner == k]
            centers[k] = np.median(mine, 0) if len(mine) else shapes[lonely[k % len(lonely)]]
    return _by_area(centers)


def _spread_out(shapes: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    centers = [shapes[generator.integers(len(shapes))]]
    for _ in range(count - 1):
        far = (1 - best_iou(shapes, np.array(centers))) ** 2
        total = far.sum()
        chosen = generator.choice(len(shapes), p=far / total) if total > _TINY else generator.integers(len(shapes))
        centers.append(shapes[chosen])
    return np.array(centers)


def evolve_anchors(shapes: np.ndarray, anchors: np.ndarray, *, seed: int = 0, generations: int = 1000, spread: float = 0.1) -> np.ndarray:
    """Anchors whose mean best IoU is at least as high: random changes of sides are kept where it grows.

    Args:
        shapes: (N, 2).
        anchors: (K, 2) to start from.
        spread: standard deviation of a change, as a share of the side; it falls to a tenth over the generations.
    """
    best, generator = np.array(anchors, np.float64), np.random.default_rng(seed)
    if not len(shapes) or not len(best):
        return best
    score = best_iou(shapes, best).mean()
    for turn in range(generations):
        width = spread * 0.1 ** (turn / max(1, generations - 1))
        change = np.exp(generator.normal(0, width, best.shape) * (generator.random(best.shape) < max(0.2, 1 / best.size)))
        trial = best * change
        reached = best_iou(shapes, trial).mean()
        if reached > score:
            best, score = trial, reached
    return _by_area(best)


def deal_out(anchors: np.ndarray, levels: int) -> list[np.ndarray]:
    """Anchors by rising area in `levels` groups of nearly equal size, small ones first."""
    return np.array_split(_by_area(np.asarray(anchors, np.float64)), levels)


def tiled(levels: list[np.ndarray], strides: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """(A, 4) x1, y1, x2, y2: each level's shapes (K, 2) around the center of every cell of its stride, on an input of (height, width)."""
    boxes = []
    for shapes, stride in zip(levels, strides):
        x, y = ((np.arange(-(-side // stride)) + 0.5) * stride for side in (size[1], size[0]))
        centers = np.stack(np.meshgrid(x, y), -1).reshape(-1, 1, 2)
        half = np.asarray(shapes, np.float64).reshape(1, -1, 2) / 2
        boxes.append(np.concatenate([centers - half, centers + half], 2).reshape(-1, 4))
    return np.concatenate(boxes) if boxes else np.zeros((0, 4))


def _by_area(shapes: np.ndarray) -> np.ndarray:
    return shapes[np.argsort(shapes.prod(1), kind="stable")]

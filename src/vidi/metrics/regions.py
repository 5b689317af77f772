"""How well connected regions of a class are covered, small ones as well as large ones.

Chan et al. 2021, "SegmentMeIfYouCan", section 4.2 (see `vidi.metrics._regions`). Every region weighs the same, where IoU over pixels
is decided by large ones. Small is a region of up to 32² pixels, large one of more than 96², as COCO has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import Estimator, plain, point, ratio
from vidi.metrics._regions import LEVELS, SIZES, regions

FAMILIES = frozenset({"Segmentation"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"region_iou": True, "region_precision": True, "region_f1": True}


def _stacked(truth: Sequence[Segmentation], predicted: Sequence[Segmentation]) -> tuple[np.ndarray, np.ndarray]:
    """`Regions.quality` and `Regions.right` of N pictures, (N, 2, 3, 3) and (N, 2, 11)."""
    found = [regions(true, guess) for true, guess in zip(truth, predicted)]
    quality = [np.zeros((0, 2, len(SIZES), 3)), *(one.quality[None] for one in found)]
    return np.concatenate(quality), np.concatenate([np.zeros((0, 2, len(LEVELS))), *(one.right[None] for one in found)])


def estimator(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    quality, right = _stacked(truth, predicted)

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        sums = np.einsum("rn,nstk->rstk", weights, quality)
        hits = np.einsum("rn,nsl->rsl", weights, right)
        n = sums[..., 0].sum(2)  # (R, 2)
        f1 = ratio(2 * hits[:, 0], hits[:, 0] + n[:, :1] + n[:, 1:] - hits[:, 1])
        found = {"region_iou": ratio(sums[:, 0, :, 1].sum(1), n[:, 0])}
        found |= {f"region_iou_{size}": ratio(sums[:, 0, i, 1], sums[:, 0, i, 0]) for i, size in enumerate(SIZES)}
        return found | {"region_precision": ratio(sums[:, 1, :, 1].sum(1), n[:, 1]), "region_f1": f1.mean(1)}

    return estimate


def numbers(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``region_iou`` (mean over the true regions), ``region_iou_small region_iou_medium region_iou_large``, ``region_precision`` (mean
    over the predicted regions) and ``region_f1``, in 0..1.

    F1 is the mean over eleven levels from 0.25 to 0.75: above a level, a true region is found, and a predicted one not false.

    Args:
        truth: N labels; pixels whose class is not known are left out.
        predicted: N labels.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def figures(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Regions by size: how many there are, how many are found or right at one half, and the means of IoU and precision."""
    total = _stacked(truth, predicted)[0].sum(0)
    if not total[0, :, 0].any():
        return []
    rows: list[list[Any]] = []
    for i, size in enumerate(SIZES):
        (n, iou, found), (guessed, precision, right) = total[:, i].tolist()
        means = [plain(ratio(*pair)) for pair in ((iou, n), (precision, guessed))]
        iou, precision = (None if mean is None else round(mean, 4) for mean in means)
        rows.append([size, int(n), int(found), iou, int(guessed), int(right), precision])
    columns = ["regions", "n", "found", "mean iou", "predicted", "right", "mean precision"]
    note = "Found: more than half of a true region's IoU; right: more than half of a predicted region's pixels. Small: up to 32² pixels; large: more than 96²."
    return [{"kind": "table", "title": "Regions by size", "columns": columns, "rows": rows, "note": note}]

"""How far the outlines of classes lie from the true ones, in pixels.

The 95 % Hausdorff distance (Huttenlocher et al. 1993; MONAI's `compute_hausdorff_distance` with percentile 95): of the distances from
each surface pixel of one mask to the nearest of the other the 95th percentile, in both directions, and the larger of the two. Surface
pixels are those that an erosion of the class's mask with a cross takes away, so those along the picture's frame are among them.
A class in truth or prediction alone has no distance to measure: it counts as the picture's diagonal, the worst there can be. A class
in neither is left out. Pixels whose true class is not known belong to no class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidi.core.space import Space
from vidi.labels import Segmentation
from vidi.metrics._arrays import Estimator, names_of, point, table
from vidi.metrics._maps import by_class, class_counts, columns, known_maps, mean_by_class, remembered
from vidi.metrics._surfaces import by_picture, points_by_class
from vidi.ops.surfaces import distances, surface

FAMILIES = frozenset({"Segmentation"})
EXCLUSIVE = None
HIGHER_IS_BETTER = {"hd95": False}

PERCENTILE = 95


@remembered
def surface_distances(true: Segmentation, guess: Segmentation) -> dict[int, tuple[float, float, float]]:
    """Of each class in either map: the 95 % distance, the mean distance (of both directions' pixels), and whether it is in both."""
    left, right = (points_by_class(values, surface(values)) for values in known_maps(true, guess))
    diagonal, found = float(np.hypot(*true.shape)), {}
    for c in sorted(left.keys() | right.keys()):
        values = (diagonal, diagonal, 0.0)
        if c in left and c in right:
            ways = distances(left[c], right[c]), distances(right[c], left[c])
            far = max(float(np.percentile(way, PERCENTILE)) for way in ways)
            values = far, float(np.concatenate(ways).mean()), 1.0
        found[c] = values
    return found


def estimator(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> Estimator:
    values = by_picture(surface_distances, truth, predicted, space)[..., 0]

    def estimate(weights: np.ndarray) -> dict[str, np.ndarray]:
        each, mean = mean_by_class(weights, values)
        return {"hd95": mean, **by_class("hd95", each, space)}

    return estimate


def numbers(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    """``hd95`` and, for up to ten classes, ``hd95_<class>``: means over the pictures, then over the classes, in pixels, 0 at best.

    Args:
        truth: N labels; predictions where the class is not known are left out.
        predicted: N labels.
    """
    return point(estimator(truth, predicted, space, settings), len(truth))


def counts(truth: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many pictures show each class."""
    return class_counts("hd95", truth, space)


def figures(
    truth: Sequence[Segmentation], predicted: Sequence[Segmentation], space: Space, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The table of classes: in how many pictures truth or prediction has the class, in how many only one of them, and distances."""
    values = by_picture(surface_distances, truth, predicted, space)
    known = ~np.isnan(values[..., 0])
    n = known.sum(0)
    if not n.any():
        return []
    alone = (values[..., 2] == 0).sum(0)
    far, near = (mean_by_class(np.ones((1, len(values))), values[..., k])[0][0] for k in range(2))
    worst = np.where(n > 0, np.where(known, values[..., 0], -np.inf).max(0), np.nan)
    parts = [names_of(space, len(n)), *columns(n, alone, far, worst, near, digits=2)]
    heads = ["class", "pictures", "in one only", "hd95", "worst picture", "mean distance"]
    drawn = table("Distances of outlines by class, in pixels", heads, [list(row) for row in zip(*parts)], -far)
    return [drawn | {"note": "A class in truth or prediction alone counts as the picture's diagonal."}]

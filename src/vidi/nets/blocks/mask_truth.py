"""What nets with masks learn from: the outlines of true things, and what of them and of the tensors' size goes along in raw outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from vidi.labels import Detections
from vidi.nets.dense._base import learned
from vidi.ops.cutouts import Cutout, cut_out


def true_cutouts(label: Detections, size: tuple[int, int]) -> list[Cutout | None]:
    """The masks of the things of `vidi.nets.dense._base.pad_truth`, in its order; None for a thing of which no pixel is known.

    Args:
        label: truth in tensor pixels.
        size: (height, width) of the tensor.
    """
    rows = np.flatnonzero(learned(label))
    if label.masks is not None:
        found: list[Cutout | None] = [cut_out(label.masks[i]) for i in rows]
    else:
        outlines = label.outlines or (None,) * len(label)
        found = [None if outline is None else outline.cutout(size) for outline in (outlines[i] for i in rows)]
    return [cut if cut is not None and cut.bits.any() else None for cut in found]


def size_rows(image_size: tuple[int, int], like: Tensor) -> Tensor:
    """(B, 2) float32: the height and width of the tensor once for each sample of `like`, so that loss and decode know them."""
    return like.new_tensor([float(side) for side in image_size]).float().expand(len(like), 2)


def size_of(raw_size: Tensor) -> tuple[int, int]:
    """The reverse of `size_rows`."""
    height, width = raw_size[0].round().int().tolist()
    return height, width


def spread(count: int, most: int) -> list[int]:
    """`most` of the numbers below `count`, evenly, or all of them."""
    return list(range(count)) if count <= most else [i * count // most for i in range(most)]


def array(values: Any) -> np.ndarray:
    """A tensor as a float32 array."""
    return values.detach().float().cpu().numpy()

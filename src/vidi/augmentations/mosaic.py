"""Four samples around a random point."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from vidi.augmentations._fill import GRAY, Beyond
from vidi.augmentations._mixing import joined, partners
from vidi.core.augmentation import Augmentation, affine, setting
from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.labels import Label
from vidi.ops.warp import size_of, warp


@dataclass(frozen=True)
class Mosaic(Augmentation):
    """Four samples around a random point, each resized and cut to its quarter, with the things of all four (Bochkovskiy et al. 2020,
    arXiv:2004.10934).

    Things of which less than 20 % is left are not marked. A picture larger than its quarter shows a random part, a smaller one
    touches the point. A result depends on the batch, of which at least four samples are wanted.

    Args:
        p: chance per sample, 0..1.
        low: smallest size of a picture, as a factor, 0.1..4.
        high: largest size, 0.1..4.
        margin: the point keeps this share of the side from the border, 0..0.5; 0.5 makes equal quarters.
        fill: where a small picture ends: a gray level 0..1, zeros, reflect or border.
    """

    mixes: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = ("Detections",)

    p: float = setting(0.5, 0, 1)
    low: float = setting(0.5, 0.1, 4)
    high: float = setting(1.25, 0.1, 4)
    margin: float = setting(0.25, 0, 0.5)
    fill: Beyond = setting(GRAY, 0, 1)

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        images = batch.inputs["image"]
        rows = draw.child("p").chance(self.p).nonzero().squeeze(1)
        if not len(rows):
            return batch
        members = torch.stack([partners(draw, step) for step in range(4)], 1)[rows]
        draw, first = draw[rows], draw.child("first").integers(4)[rows]
        members = members.gather(1, (torch.arange(4, device=draw.device) + first[:, None]) % 4)
        size = size_of(images)
        x, y = ((draw.uniform(self.margin, 1 - self.margin) * side).round() for side in (size[1], size[0]))
        tiles = images.new_empty(len(rows), images.shape[1], *size)
        labels: list[list[Label | None]] = [[] for _ in rows]
        for place, (right, below) in enumerate(itertools.product((False, True), repeat=2)):
            part = members[:, place]
            corners = _quarter(x, y, size, right, below)
            matrices = self._matrices(draw.child(f"quarter{place}"), corners, size, right, below)
            _paint(tiles, images[part], matrices, corners, self.fill)
            table, places = matrices.double().cpu().numpy(), corners.long().cpu().numpy()
            for row, (index, matrix, corner) in enumerate(zip(part.tolist(), table, places)):
                labels[row].append(_follow(batch.labels[index], matrix, corner, size))
        out = list(batch.labels)
        for row, parts in zip(rows.tolist(), labels):
            out[row] = joined(parts)
        return Batch(batch.inputs | {"image": images.index_copy(0, rows, tiles)}, out, batch.frames, batch.indices)

    def _matrices(self, draw: Draw, corners: Tensor, size: tuple[int, int], right: bool, below: bool) -> Tensor:
        """(B, 3, 3), from a picture to its quarter x1, y1, x2, y2 (B, 4)."""
        factor = draw.uniform(self.low, self.high)
        shifts = []
        for axis, (side, touches) in enumerate(((size[1], 0.0 if right else 1.0), (size[0], 0.0 if below else 1.0))):
            over = factor * side - (corners[:, axis + 2] - corners[:, axis])
            shifts.append(corners[:, axis] - over * torch.where(over > 0, draw.uniform(), touches))
        return affine(a=factor, d=factor, x=shifts[0], y=shifts[1])


def _quarter(x: Tensor, y: Tensor, size: tuple[int, int], right: bool, below: bool) -> Tensor:
    """(B, 4) x1, y1, x2, y2 of one quarter around points (B,)."""
    ends = []
    for point, side, later in ((x, size[1], right), (y, size[0], below)):
        ends.append((point, torch.full_like(point, side)) if later else (torch.zeros_like(point), point))
    return torch.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]], 1)


def _paint(tiles: Tensor, images: Tensor, matrices: Tensor, corners: Tensor, fill: Beyond) -> None:
    """Fill one quarter of each sample; only the window that holds the largest of them is computed."""
    (x0, y0), (x1, y1) = corners[:, :2].amin(0).long().tolist(), corners[:, 2:].amax(0).long().tolist()
    if x1 <= x0 or y1 <= y0:
        return
    shift = torch.eye(3, dtype=matrices.dtype, device=matrices.device)
    shift[:2, 2] = torch.tensor([-x0, -y0])
    seen = warp(images, shift @ matrices, (y1 - y0, x1 - x0), fill=fill)
    xs, ys = torch.arange(x0, x1, device=images.device) + 0.5, torch.arange(y0, y1, device=images.device) + 0.5
    across = (xs > corners[:, :1]) & (xs < corners[:, 2:3])
    down = (ys > corners[:, 1:2]) & (ys < corners[:, 3:])
    window = tiles[:, :, y0:y1, x0:x1]
    torch.where((down[:, :, None] & across[:, None, :])[:, None], seen, window, out=window)


def _follow(label: Label | None, matrix: np.ndarray, corner: np.ndarray, size: tuple[int, int]) -> Label | None:
    """The label as far as it is seen in a quarter, in pixels of the whole."""
    if label is None:
        return None
    x0, y0, x1, y1 = corner.tolist()
    there, back = matrix.copy(), np.eye(3)
    there[:2, 2] -= (x0, y0)
    back[:2, 2] = (x0, y0)
    return label.cropped(there, (y1 - y0, x1 - x0)).warp(back, size)

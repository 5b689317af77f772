"""Masks in one look: the head `tal` with prototypes, and for each place how to mix them.

A small net on the neck's finest map draws P prototypes of the whole picture; each place says by P coefficients how they add up to its
thing's mask, which the box cuts out (Bolya et al. 2019, *YOLACT*, arXiv:1904.02689). Places of one box learn the same mask; the loss is
the mean over the box and a cell around it, so that large things count no more than small ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Detections
from vidi.nets.blocks.csp import ConvUnit
from vidi.nets.blocks.mask_truth import array, size_of, size_rows, true_cutouts
from vidi.nets.dense._base import Truth, started
from vidi.nets.dense.tal import TaskAligned
from vidi.ops.assign import Assignment
from vidi.ops.masks import cell_coverage, paste
from vidi.ops.nms import pick

SMOOTH = 1.0
Cells = tuple[int, int, int, int]


class Prototypes(nn.Module):
    """A map (B, C, H, W) to P maps of the same picture, `factor` times as fine.

    Args:
        inputs: C.
        width: channels between.
        outputs: P.
        factor: a power of 2.
    """

    def __init__(self, inputs: int, width: int, outputs: int, factor: int):
        super().__init__()
        finer: list[nn.Module] = []
        for _ in range(factor.bit_length() - 1):
            finer += [nn.Upsample(scale_factor=2, mode="nearest"), ConvUnit(width, width)]
        self.layers = nn.Sequential(ConvUnit(inputs, width), *(finer or [ConvUnit(width, width)]), ConvUnit(width, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class TaskAlignedMasks(TaskAligned):
    """Raw: those of `TaskAligned`, and ``prototypes`` (B, P, h, w), ``coefficients`` (B, P, A), ``size`` (B, 2) height and width of the
    picture in pixels. See `head` for the arguments."""

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], classes: int, *, prototypes: int = 32, finest: int = 4, mask: float = 7.5,
        dice: float = 0.0, **settings: Any,
    ):  # fmt: skip
        super().__init__(channels, strides, classes, **settings)
        _check(prototypes, finest, mask, dice)
        factor = 1
        while strides[0] // (2 * factor) >= finest:
            factor *= 2
        self.step, self.mask_gains = strides[0] // factor, (mask, dice)
        self.prototypes = Prototypes(channels[0], channels[0], prototypes, factor)
        width = max(channels[0] // 4, prototypes)
        self.mixes = nn.ModuleList(
            nn.Sequential(ConvUnit(inputs, width), ConvUnit(width, width), started(nn.Conv2d(width, prototypes, 1), 0.0))
            for inputs in channels
        )
        self.kinds = dict(self.kinds) | {"prototypes": "vector", "coefficients": "vector", "size": "aux"}

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        raw = super().forward(maps, size)
        raw["prototypes"] = self.prototypes(maps[0])
        raw["coefficients"] = torch.cat([mix(x).flatten(2) for mix, x in zip(self.mixes, maps)], 2)
        return raw | {"size": size_rows(size, raw["points"])}

    def found(self, raw: Mapping[str, Tensor], **settings: Any) -> Detections:
        boxes, scores = (array(values[0]) for values in self.decode(raw))
        rows, values, classes = pick(boxes, scores, **settings)
        maps, size = raw["prototypes"][0].float(), size_of(raw["size"])
        index = torch.as_tensor(rows, device=maps.device)
        soft = (raw["coefficients"][0].float()[:, index].T @ maps.flatten(1)).sigmoid().unflatten(1, maps.shape[1:])
        frame = np.array([0, 0, maps.shape[2] * self.step, maps.shape[1] * self.step], np.float32)
        masks = paste(array(soft), boxes[rows], size, np.broadcast_to(frame, (len(rows), 4)))
        return Detections(boxes[rows], values, classes, masks)

    def _more(
        self, raw: Mapping[str, Tensor], labels: Sequence[Detections], truth: Truth, found: Assignment
    ) -> dict[str, Tensor]:
        """``mask``: binary cross-entropy of the places' masks, with `dice` also 1 − Dice (Milletari et al. 2016, arXiv:1606.04797); the
        mean over places by their alignment. Places of things without outline take no part."""
        maps, coefficients, size = raw["prototypes"].float(), raw["coefficients"].float(), size_of(raw["size"])
        batch, count, height, width = maps.shape
        share = found.share * (found.index >= 0)
        scale = 1 / torch.maximum(share.sum(1), self.typical)
        zero = maps.new_zeros(batch)
        things = self._things(labels, truth, found, size, (height, width))
        if not things:
            return {"mask": zero}
        cells = torch.from_numpy(np.concatenate([cells for _, _, cells, _ in things])).to(maps.device)
        read = maps.permute(0, 2, 3, 1).reshape(-1, count)[cells].split([len(cells) for _, _, cells, _ in things])
        losses, rows, weights = [], [], []
        for (i, places, _, target), part in zip(things, read):
            logits = coefficients[i][:, places].T @ part.T  # (places, cells)
            losses.append(self._mask_losses(logits, torch.from_numpy(target).to(maps.device)))
            rows.append(torch.full_like(places, i))
            weights.append(share[i, places])
        each = torch.cat(losses) * torch.cat(weights)
        return {"mask": scale * zero.index_add(0, torch.cat(rows), each)}

    def _mask_losses(self, logits: Tensor, target: Tensor) -> Tensor:
        """(K,) of K places' logits (K, S) and what S cells hold of their thing (S,)."""
        entropy, dice = self.mask_gains
        target = target.expand_as(logits)
        loss = entropy * F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
        if dice:
            soft = logits.sigmoid()
            loss = loss + dice * (1 - (2 * (soft * target).sum(1) + SMOOTH) / (soft.sum(1) + target.sum(1) + SMOOTH))
        return loss

    def _things(
        self, labels: Sequence[Detections], truth: Truth, found: Assignment, size: tuple[int, int], grid: tuple[int, int]
    ) -> list[tuple[int, Tensor, np.ndarray, np.ndarray]]:
        """For each true thing with an outline that some place answers for: its picture's row, those places, the cells around it as rows of
        all prototypes' cells, and what they hold of it."""
        things = []
        for i, label in enumerate(labels):
            boxes = array(truth.boxes[i])
            for m, cut in enumerate(true_cutouts(label, size)):
                places = (found.index[i] == m).nonzero()[:, 0]
                if cut is None or not len(places):
                    continue
                x1, y1, x2, y2 = region = self._cells(boxes[m], grid)
                rows = i * grid[0] * grid[1] + np.arange(y1, y2)[:, None] * grid[1] + np.arange(x1, x2)
                things.append((i, places, rows.ravel(), cell_coverage(cut, region, self.step).ravel()))
        return things

    def _cells(self, box: np.ndarray, grid: tuple[int, int]) -> Cells:
        """The prototypes' cells in a box and one around it; at least one."""
        limits = [grid[1], grid[0]]
        low = np.clip(np.floor(box[:2] / self.step) - 1, 0, np.array(limits) - 1).astype(int).tolist()
        high = np.clip(np.ceil(box[2:] / self.step) + 1, np.array(low) + 1, limits).astype(int).tolist()
        return low[0], low[1], high[0], high[1]


def _check(prototypes: int, finest: int, mask: float, dice: float) -> None:
    for name, value in (("prototypes", prototypes), ("finest", finest)):
        if value < 1:
            raise RecipeError("at least 1", at=name, value=value)
    for name, gain in (("mask", mask), ("dice", dice)):
        if gain < 0:
            raise RecipeError("a weight is not negative", at=name, value=gain)


def head(
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    *,
    prototypes: int = 32,
    finest: int = 4,
    mask: float = 7.5,
    dice: float = 0.0,
    reg_max: int = 16,
    topk: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
    end2end: bool = False,
    light: bool = False,
    cls_loss: str = "bce",
    box_loss: str = "ciou",
    box: float = 7.5,
    cls: float = 1.0,
    dfl: float = 1.5,
) -> TaskAlignedMasks:
    """The head on a neck's maps.

    Args:
        channels, strides: the neck's.
        space: what the labels mean.
        prototypes: P.
        finest: pixels per cell of the prototypes; where the neck's finest level is finer still, that level's.
        mask: weight of the masks' cross-entropy.
        dice: weight of 1 − Dice, which is in the same part of the loss.
        reg_max, topk, alpha, beta, end2end, light, cls_loss, box_loss, box, cls, dfl: see `vidi.nets.dense.tal.head`.

    Raises:
        RecipeError: a number out of range.
    """
    return TaskAlignedMasks(
        channels, strides, len(space), prototypes=prototypes, finest=finest, mask=mask, dice=dice, reg_max=reg_max, topk=topk, alpha=alpha,
        beta=beta, end2end=end2end, light=light, cls_loss=cls_loss, box_loss=box_loss, box=box, cls=cls, dfl=dfl,
    )  # fmt: skip

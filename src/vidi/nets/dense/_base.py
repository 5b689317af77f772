"""What every dense head can do: a neck's maps to raw outputs at many places, to loss parts, and to scored boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidi.labels import Detections
from vidi.ops.nms import select


class DenseHead(nn.Module, ABC):
    """The last stage of a one-stage detector. A file of ``nets/dense`` defines
    ``head(channels, strides, space, **settings) -> DenseHead``.

    Attributes:
        kinds: what each raw output is, see `vidi.core.net.Net`.
        nms: how doubles among the boxes of `decode` are removed, see `vidi.ops.nms.suppress`; ``none`` for heads that give none.
        typical: () float32, mean number of boxes per training picture, at least 1; no picture's loss is divided by less.
    """

    kinds: Mapping[str, str]
    nms: str = "hard"
    typical: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("typical", torch.ones(()))

    @abstractmethod
    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """Raw outputs, each with one row per sample.

        Args:
            maps: the neck's, fine to coarse.
            size: (height, width) of the input in pixels, before it was padded for the backbone.
        """

    @abstractmethod
    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> dict[str, Tensor]:
        """Named parts, each (B,) float32; a sample's loss does not depend on the others."""

    @abstractmethod
    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Candidates: boxes (B, A, 4) float32, x1, y1, x2, y2 in tensor pixels, and scores (B, A, C) in 0..1 without background."""

    def found(self, raw: Mapping[str, Tensor], **settings: Any) -> Detections:
        """The things on one picture.

        Args:
            raw: of a batch of one.
            settings: see `vidi.ops.nms.select`.
        """
        boxes, scores = self.decode(raw)
        return Detections(*select(boxes[0].float().cpu(), scores[0].float().cpu(), **settings))

    @torch.no_grad()
    def fit_labels(self, labels: Sequence[Detections]) -> None:
        """Take over what depends on the training labels; here `typical`."""
        if len(labels):
            counts = [len(label) if label.crowd is None else int((~label.crowd).sum()) for label in labels]
            self.typical.fill_(max(1.0, float(np.mean(counts))))


@dataclass(frozen=True, slots=True)
class Truth:
    """The labels of a batch, padded to the longest.

    Args:
        boxes: (B, M, 4) float32 x1, y1, x2, y2; zeros where there is none.
        classes: (B, M) int64.
        valid: (B, M) bool, where there is a box.
        crowd: (B, K, 4) float32 regions to be ignored; zeros where there is none.
    """

    boxes: Tensor
    classes: Tensor
    valid: Tensor
    crowd: Tensor


def learned(label: Detections) -> np.ndarray:
    """(N,) bool: things that are learned, with finite boxes that have an area, and no crowds."""
    sound = _sound(label.boxes)
    return sound if label.crowd is None else sound & ~label.crowd


def _sound(boxes: np.ndarray) -> np.ndarray:
    return np.isfinite(boxes).all(1) & (boxes[:, 2:] - boxes[:, :2] > 0).all(1)


def pad_truth(labels: Sequence[Detections], device: torch.device | str = "cpu") -> Truth:
    """Labels as tensors. Boxes without area or that are not finite are left out; crowd regions are kept apart."""
    things, regions = [], []
    for label in labels:
        own = learned(label)
        things.append((label.boxes[own], label.classes[own]))
        regions.append(label.boxes[_sound(label.boxes) & ~own])
    boxes, valid = _padded([boxes for boxes, _ in things])
    classes = np.zeros(valid.shape, np.int64)
    for row, (_, values) in zip(classes, things):
        row[: len(values)] = values
    crowd, _ = _padded(regions)
    return Truth(*(torch.from_numpy(array).to(device, non_blocking=True) for array in (boxes, classes, valid, crowd)))


def _padded(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(B, M, 4) float32 and where it is filled (B, M)."""
    longest = max(map(len, rows), default=0)
    out, valid = np.zeros((len(rows), longest, 4), np.float32), np.zeros((len(rows), longest), bool)
    for i, row in enumerate(rows):
        out[i, : len(row)], valid[i, : len(row)] = row, True
    return out, valid


def ignored(boxes: Tensor, crowd: Tensor, share: float = 0.5) -> Tensor:
    """Which boxes lie in a region to be ignored by at least a share of their own area.

    Args:
        boxes: (B, A, 4) or (A, 4).
        crowd: (B, K, 4), zeros for none.

    Returns:
        (B, A) bool.
    """
    boxes = boxes.expand(len(crowd), -1, 4)
    if crowd.shape[1] == 0:
        return torch.zeros(boxes.shape[:2], dtype=torch.bool, device=boxes.device)
    low = torch.maximum(boxes[:, :, None, :2], crowd[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], crowd[:, None, :, 2:])
    shared = (high - low).clamp(min=0).prod(3)
    area = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(2)
    return ((shared >= share * area[..., None]) & (shared > 0)).any(2)


def centers(maps: Sequence[Tensor], strides: Sequence[int]) -> Tensor:
    """(A, 3) float32: x and y of each map cell's center in input pixels, and the stride of its map; row by row, fine to coarse."""
    parts = []
    for level, stride in zip(maps, strides):
        height, width = level.shape[2:]
        y = (torch.arange(height, device=level.device, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(width, device=level.device, dtype=torch.float32) + 0.5) * stride
        columns = (x, y[:, None], torch.full_like(x, stride))
        parts.append(torch.stack([column.expand(height, width) for column in columns], 2).reshape(-1, 3))
    return torch.cat(parts)


def flattened(outputs: Sequence[Tensor]) -> Tensor:
    """Maps (B, D, H, W) of several levels as (B, A, D), in the order of `centers`."""
    return torch.cat([output.flatten(2) for output in outputs], 2).transpose(1, 2)


def started(conv: nn.Conv2d, bias: float | Tensor) -> nn.Conv2d:
    """A last layer with small random weights, whose first outputs are about its bias (a number, or one per channel)."""
    nn.init.normal_(conv.weight, std=0.01)
    if conv.bias is not None:
        with torch.no_grad():
            conv.bias.copy_(torch.as_tensor(bias))
    return conv


def prior_bias(probability: float) -> float:
    """The logit of a probability: the first bias of a classifier whose places are nearly all background (Lin et al. 2017)."""
    return float(np.log(probability / (1 - probability)))

"""Things of another sample, pasted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidi.augmentations._mixing import joined, partners
from vidi.core.augmentation import Augmentation, setting
from vidi.core.batch import Batch
from vidi.core.seeds import Draw
from vidi.labels import Detections, Runs
from vidi.ops.cutouts import NOTHING, Cutout, cut_out
from vidi.ops.warp import size_of

CANDIDATES = 512
PLACES = 4
CONTEXT = 0.1
LEAST = 2


@dataclass(frozen=True)
class CopyPaste(Augmentation):
    """Things of another sample, resized and pasted in somewhere (simple copy-paste, Ghiasi et al. 2021, arXiv:2012.07177).

    Things with a mask or an outline are pasted along it, others as their box with a soft border around it; things cut by the border of
    their picture are not. Of four random places the one that hides the least is taken; things that are hidden by more than 80 % are no
    longer marked. A result depends on the batch; in a batch of one, a picture's own things are pasted.

    Args:
        p: chance per sample, 0..1.
        count: most things per picture, 1..32; at least one.
        low: smallest size of a thing, as a factor, 0.1..4.
        high: largest size, 0.1..4.
        rare: how strongly things of rare classes are preferred, 0..2: chances go with the class's count to the power of minus this.
        counts: how often each class occurs, for `rare`; none given: counted in the batch.
    """

    mixes: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = ("Detections",)

    p: float = setting(0.5, 0, 1)
    count: int = setting(3, 1, 32)
    low: float = setting(0.5, 0.1, 4)
    high: float = setting(1.5, 0.1, 4)
    rare: float = setting(0.0, 0, 2)
    counts: tuple[float, ...] = setting((), 0, 1e12)

    def mix(self, batch: Batch, draw: Draw) -> Batch:
        draw = draw.to("cpu")
        rows = draw.child("p").chance(self.p).nonzero().squeeze(1).tolist()
        partner, number = partners(draw).tolist(), (draw.child("number").integers(self.count) + 1).tolist()
        keys = draw.child("keys").uniform(1e-6, 1, CANDIDATES).numpy()
        jitter = draw.child("jitter").uniform(0, 1, self.count, 1 + 2 * PLACES).numpy()
        weights, images, labels = self._weights(batch), batch.inputs["image"], list(batch.labels)
        out = images.clone() if rows else images
        for row in rows:
            label, other = batch.labels[row], batch.labels[partner[row]]
            if isinstance(label, Detections) and isinstance(other, Detections):
                chosen = _chosen(other, size_of(images), weights, keys[row], number[row])
                labels[row] = self._paste(out[row], images[partner[row]], label, other[chosen], jitter[row])
        return Batch(batch.inputs | {"image": out}, labels, batch.frames, batch.indices)

    def _weights(self, batch: Batch) -> np.ndarray:
        """(C,) chance of a thing of each class, relative to the others."""
        found = [label.classes for label in batch.labels if isinstance(label, Detections)]
        counts = np.bincount(np.concatenate(found)) if found else np.zeros(0)
        if self.counts:
            given = np.ones(max(len(counts), len(self.counts)))
            given[: len(self.counts)] = self.counts
            counts = given
        return np.maximum(counts, 1.0) ** -self.rare

    def _paste(self, picture: Tensor, source: Tensor, label: Detections, things: Detections, jitter: np.ndarray) -> Detections:
        """Paint things of `source` into `picture`, both (3, H, W), in place; the label of what is seen then."""
        size = (picture.shape[1], picture.shape[2])
        layers, covers, taken = [label], [np.zeros(size, bool)], label.boxes
        for index in range(len(things)):
            thing = things[[index]]
            matrix = self._place(thing.boxes[0], taken, size, jitter[index])
            if matrix is None:
                continue
            cover, matrix = _paint(picture, source, thing, matrix)
            covers.append(cover)
            layers.append(thing.warp(matrix, size))
            taken = np.concatenate([taken, layers[-1].boxes])
        seen, covered = [], np.zeros(size, bool)
        for layer, cover in zip(reversed(layers), reversed(covers)):
            seen.append(layer.behind(covered))
            covered |= cover
        return joined(seen[::-1])  # type: ignore[return-value]

    def _place(self, box: np.ndarray, taken: np.ndarray, size: tuple[int, int], unit: np.ndarray) -> np.ndarray | None:
        """(3, 3) that brings a box to the best of several random places within the picture; None: it becomes too small."""
        sides = (box[2:] - box[:2]).astype(np.float64)
        room = np.array([size[1], size[0]], np.float64)
        factor = min(self.low * (self.high / self.low) ** unit[0], *(room / np.maximum(sides, 1e-6)))
        if min(sides * factor) < LEAST:
            return None
        corners = unit[1:].reshape(PLACES, 2) * (room - sides * factor)
        hidden = [_hidden(np.concatenate([corner, corner + sides * factor]), taken) for corner in corners]
        x, y = corners[int(np.argmin(hidden))] - factor * box[:2]
        return np.array([[factor, 0, x], [0, factor, y], [0, 0, 1]])


def _chosen(things: Detections, size: tuple[int, int], weights: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
    """Indices of up to `count` whole things, drawn by weight without repetition (Efraimidis and Spirakis 2006); no crowd regions."""
    whole = (things.boxes[:, :2] > 0).all(1) & (things.boxes[:, 2:] < [size[1], size[0]]).all(1)
    able = np.flatnonzero(whole if things.crowd is None else whole & ~things.crowd)
    able = able[able < CANDIDATES]
    rank = np.log(keys[able]) / weights[things.classes[able]]
    return able[np.argsort(-rank, kind="stable")[:count]]


def _hidden(box: np.ndarray, taken: np.ndarray) -> float:
    """The area of `taken` boxes that a box hides, each as a share of itself."""
    low, high = np.maximum(taken[:, :2], box[:2]), np.minimum(taken[:, 2:], box[2:])
    area = (taken[:, 2:] - taken[:, :2]).prod(1)
    return float((np.maximum(high - low, 0).prod(1) / np.maximum(area, 1e-6)).sum())


def _paint(picture: Tensor, source: Tensor, thing: Detections, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paint one thing of `source` into `picture`, in place; (H, W) bool, the pixels it hides, and the (3, 3) by which it came there, which
    is the one given but for whole pixels."""
    height, width = picture.shape[1:]
    factor, (x, y) = float(matrix[0, 0]), matrix[:2, 2]
    cut = _outlined(thing, (height, width))
    margin = CONTEXT * float(min(thing.boxes[0, 2:] - thing.boxes[0, :2])) if cut is None else 0.0
    grown = np.array(thing.boxes[0] if cut is None else cut.box, np.float64) + [-margin, -margin, margin, margin]
    x0, y0 = np.maximum(np.floor(grown[:2]), 0).astype(int).tolist()
    x1, y1 = (int(min(np.ceil(end), most)) for end, most in zip(grown[2:], (width, height)))
    left, top = round(x0 * factor + x), round(y0 * factor + y)
    wide, tall = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
    patch = F.interpolate(source[None, :, y0:y1, x0:x1].float(), (tall, wide), mode="bilinear", antialias=factor < 1)[0]
    across, down = wide / (x1 - x0), tall / (y1 - y0)
    exact = np.array([[across, 0, left - across * x0], [0, down, top - down * y0], [0, 0, 1.0]])
    if cut is None:
        landed = thing.boxes[0] * np.tile([across, down], 2) + np.tile(exact[:2, 2] - [left, top], 2)
        shade = _soft((tall, wide), landed, margin * factor)
    else:
        piece = torch.from_numpy(cut.part((x0, y0, x1, y1))).float()[None, None]
        shade = F.interpolate(piece, (tall, wide), mode="bilinear", antialias=factor < 1)[0, 0]
    a, b, c, d = max(top, 0), min(top + tall, height), max(left, 0), min(left + wide, width)
    hidden = np.zeros((height, width), bool)
    if b <= a or d <= c:
        return hidden, exact
    inside = (slice(a - top, b - top), slice(c - left, d - left))
    seen, shade = picture[:, a:b, c:d], shade[inside].clamp(0, 1)
    seen.copy_(torch.lerp(seen.float(), patch[:, inside[0], inside[1]], shade.to(picture.device)))
    hidden[a:b, c:d] = (shade > 0.5).numpy()
    return hidden, exact


def _outlined(thing: Detections, size: tuple[int, int]) -> Cutout | None:
    """The pixels of one thing, None where only its box is known."""
    outline = thing.outlines[0] if thing.outlines is not None else None
    if thing.masks is not None:
        cut = cut_out(thing.masks[0]) if thing.masks.shape[1:] == size else NOTHING
    else:
        cut = NOTHING if outline is None or (isinstance(outline, Runs) and outline.size != size) else outline.cutout(size)
    return cut if cut.bits.any() else None


def _soft(size: tuple[int, int], box: np.ndarray, margin: float) -> Tensor:
    """(H, W) in 0..1: 1 within a box, falling to 0 over a margin around it."""
    sides = []
    for count, low, high in ((size[1], box[0], box[2]), (size[0], box[1], box[3])):
        place = torch.arange(count) + 0.5
        reach = torch.minimum(place - float(low), float(high) - place)
        sides.append((1 + reach / max(margin, 0.5)).clamp(0, 1))
    return sides[1][:, None] * sides[0][None]

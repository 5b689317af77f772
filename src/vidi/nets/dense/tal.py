"""Anchor-free, decoupled head with task-aligned assignment and distances as distributions: the head of `yolo`.

Classes and boxes have branches of their own (Ge et al. 2021, *YOLOX*, arXiv:2107.08430). Each place predicts its distances to the four
sides of its box as distributions over 0..R−1 strides (Li et al. 2020, *GFL*, arXiv:2006.04388); places are assigned by alignment (Feng
et al. 2021, *TOOD*, arXiv:2108.07755). With ``end2end`` a second pair of branches learns one place per box, so that nothing is left to
suppress (Wang et al. 2024, *YOLOv10*, arXiv:2405.14458).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Detections
from vidi.nets.blocks.csp import ConvUnit
from vidi.nets.dense._base import DenseHead, Truth, centers, flattened, ignored, pad_truth, prior_bias, started
from vidi.ops.assign import Assignment, task_aligned
from vidi.ops.box_loss import BOX_LOSSES, distribution_focal_loss, varifocal_loss

PRIOR, SLOPE = 0.01, 0.3
"""First score of every class; how fast the first distribution of a distance falls, which makes its mean about 2.6 strides."""


class Branches(nn.Module):
    """Class logits and distance logits of every level.

    Args:
        channels: of the neck's maps.
        classes: C.
        reg_max: R.
        light: the class branch is made of depthwise and 1×1 convolutions (YOLOv10: boxes need full ones, classes do not).
    """

    def __init__(self, channels: Sequence[int], classes: int, reg_max: int, light: bool):
        super().__init__()
        boxes, scores = max(16, channels[0] // 4, 4 * reg_max), max(channels[0], min(classes, 100))
        self.classes, self.distances = nn.ModuleList(), nn.ModuleList()
        for width in channels:
            if light:
                trunk = [*_separable(width, scores), *_separable(scores, scores)]
            else:
                trunk = [ConvUnit(width, scores), ConvUnit(scores, scores)]
            last = started(nn.Conv2d(scores, classes, 1), prior_bias(PRIOR))
            self.classes.append(nn.Sequential(*trunk, last))
            last = started(nn.Conv2d(boxes, 4 * reg_max, 1), (-SLOPE * torch.arange(reg_max)).repeat(4))
            self.distances.append(nn.Sequential(ConvUnit(width, boxes), ConvUnit(boxes, boxes), last))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        logits = flattened([branch(x) for branch, x in zip(self.classes, maps)])
        sides = torch.cat([branch(x).flatten(2) for branch, x in zip(self.distances, maps)], 2)
        return logits, sides.unflatten(1, (4, -1)).permute(0, 2, 3, 1)  # (B, A, C), (B, R, A, 4)


def _separable(inputs: int, outputs: int) -> tuple[ConvUnit, ConvUnit]:
    return ConvUnit(inputs, inputs, 3, groups=inputs), ConvUnit(inputs, outputs, 1)


class TaskAligned(DenseHead):
    """Raw: ``logits`` (B, A, C), ``distances`` (B, R, A, 4) logits over 0..R−1 strides to the left, top, right and bottom,
    ``points`` (B, A, 3) x, y, stride. With `end2end` these are the one-to-one branches', and ``many_logits``, ``many_distances``
    are those of the branches that NMS would follow. See `head` for the arguments."""

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], classes: int, *, reg_max: int = 16, topk: int = 10,
        alpha: float = 0.5, beta: float = 6.0, end2end: bool = False, light: bool = False, cls_loss: str = "bce",
        box_loss: str = "ciou", box: float = 7.5, cls: float = 1.0, dfl: float = 1.5,
    ):  # fmt: skip
        super().__init__()
        _check(reg_max, topk, cls_loss, box_loss)
        self.strides, self.reg_max, self.topk, self.alpha, self.beta = tuple(strides), reg_max, topk, alpha, beta
        self.cls_loss, self.box_loss, self.gains = cls_loss, BOX_LOSSES[box_loss], (box, cls, dfl)
        self.many = Branches(channels, classes, reg_max, light)
        self.one = Branches(channels, classes, reg_max, light) if end2end else None
        self.nms = "none" if end2end else "hard"
        self.kinds = {"logits": "bernoulli", "distances": "categorical", "points": "aux"}
        if end2end:
            self.kinds |= {"many_logits": "aux", "many_distances": "aux"}

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        logits, distances = self.many(maps)
        points = centers(maps, self.strides).expand(len(logits), -1, 3)
        raw = {"logits": logits, "distances": distances, "points": points}
        if self.one is not None:
            raw |= {"many_logits": logits, "many_distances": distances}
            raw["logits"], raw["distances"] = self.one([x.detach() for x in maps])
        return raw

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> dict[str, Tensor]:
        """``box``, ``cls`` and ``dfl``; with `end2end` also ``one_box``, ``one_cls`` and ``one_dfl``."""
        truth = pad_truth(labels, raw["logits"].device)
        parts: dict[str, Tensor] = {}
        for prefix, logits, distances, topk in self._passes(raw):
            found, free = self._assign(logits, distances, raw["points"], truth, topk)
            own = self._loss(logits, distances, raw["points"], truth, found, free) | self._more(raw, labels, truth, found)
            parts |= {prefix + name: value for name, value in own.items()}
        return parts

    def _passes(self, raw: Mapping[str, Tensor]) -> list[tuple[str, Tensor, Tensor, int]]:
        """The pairs of branches that learn: prefix of their loss parts, logits, distances, places per box."""
        if self.one is None:
            return [("", raw["logits"], raw["distances"], self.topk)]
        return [("", raw["many_logits"], raw["many_distances"], self.topk), ("one_", raw["logits"], raw["distances"], 1)]

    def _more(
        self, raw: Mapping[str, Tensor], labels: Sequence[Detections], truth: Truth, found: Assignment
    ) -> dict[str, Tensor]:
        """Loss parts of heads that say more of a place than its box."""
        return {}

    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.boxes(raw["distances"], raw["points"]), raw["logits"].float().sigmoid()

    def boxes(self, distances: Tensor, points: Tensor) -> Tensor:
        """Boxes in pixels of distance logits.

        Args:
            distances: (B, R, …, 4).
            points: (B, …, 3).

        Returns:
            (B, …, 4) float32.
        """
        steps = torch.arange(self.reg_max, device=distances.device, dtype=torch.float32)
        steps = steps.view(-1, *[1] * (distances.ndim - 2))
        sides = (distances.float().softmax(1) * steps).sum(1) * points[..., 2:]
        return torch.cat([points[..., :2] - sides[..., :2], points[..., :2] + sides[..., 2:]], -1)

    def _loss(
        self, logits: Tensor, distances: Tensor, points: Tensor, truth: Truth, found: Assignment, free: Tensor
    ) -> dict[str, Tensor]:
        logits = logits.float()
        b, a = (found.index >= 0).nonzero(as_tuple=True)
        m = found.index[b, a]
        target = torch.zeros_like(logits)
        target[b, a, truth.classes[b, m]] = found.quality[b, a]
        if self.cls_loss == "varifocal":
            cls = varifocal_loss(logits, target)
        else:
            cls = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        weight = found.quality[b, a]
        box, dfl = self._box_losses(distances[b, :, a], points[b, a], truth.boxes[b, m])
        zero = logits.new_zeros(len(logits))
        scale = 1 / torch.maximum(zero.index_add(0, b, weight), self.typical)
        gains = self.gains
        return {
            "box": gains[0] * scale * zero.index_add(0, b, weight * box),
            "cls": gains[1] * scale * (cls.sum(2) * free).sum(1),
            "dfl": gains[2] * scale * zero.index_add(0, b, weight * dfl),
        }

    def _box_losses(self, distances: Tensor, points: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """(P,) each, of distance logits (P, R, 4), points (P, 3) and true boxes (P, 4)."""
        overlap = self.box_loss(self.boxes(distances, points), truth)
        sides = torch.cat([points[:, :2] - truth[:, :2], truth[:, 2:] - points[:, :2]], 1) / points[:, 2:]
        return overlap, distribution_focal_loss(distances.transpose(1, 2), sides).mean(1)

    @torch.no_grad()
    def _assign(self, logits: Tensor, distances: Tensor, points: Tensor, truth: Truth, topk: int) -> tuple[Assignment, Tensor]:
        """The assignment, and (B, A) bool: places that are no part of a crowd."""
        place = points[0]
        free = ~ignored(torch.cat([place[:, :2] - place[:, 2:] / 2, place[:, :2] + place[:, 2:] / 2], 1), truth.crowd)
        found = task_aligned(
            logits.sigmoid(), self.boxes(distances, points), place[:, :2], truth.boxes, truth.classes, truth.valid,
            allowed=free, topk=topk, alpha=self.alpha, beta=self.beta, reach=float(self.strides[0]),
        )  # fmt: skip
        return found, free


def _check(reg_max: int, topk: int, cls_loss: str, box_loss: str) -> None:
    if not 2 <= reg_max <= 64:
        raise RecipeError("between 2 and 64", at="reg_max", value=reg_max)
    if topk < 1:
        raise RecipeError("at least 1", at="topk", value=topk)
    if cls_loss not in ("bce", "varifocal"):
        raise RecipeError("bce or varifocal", at="cls_loss", value=cls_loss)
    if box_loss not in BOX_LOSSES:
        raise RecipeError(f"one of {', '.join(BOX_LOSSES)}", at="box_loss", value=box_loss)


def head(
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    *,
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
) -> TaskAligned:
    """The head on a neck's maps.

    Args:
        channels, strides: the neck's.
        space: what the labels mean.
        reg_max: R, values of each distance: boxes reach R − 1 strides from their place.
        topk: places that learn each box.
        alpha, beta: powers of score and overlap in the alignment.
        end2end: also learn one place per box, and predict by that without NMS.
        light: depthwise convolutions in the class branch: about a tenth faster on a CPU, slower to learn.
        cls_loss: ``bce`` or ``varifocal``, to the places' qualities.
        box_loss: ``ciou``, ``diou``, ``giou`` or ``iou``.
        box, cls, dfl: weights of the parts.
    """
    return TaskAligned(
        channels, strides, len(space), reg_max=reg_max, topk=topk, alpha=alpha, beta=beta, end2end=end2end, light=light,
        cls_loss=cls_loss, box_loss=box_loss, box=box, cls=cls, dfl=dfl,
    )  # fmt: skip

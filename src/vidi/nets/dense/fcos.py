"""The head of FCOS: classes, distances to the four sides, and centerness at every cell of a pyramid, with shared weights.

Design: Tian et al. 2019, arXiv:1904.01355, with the authors' later improvements: center sampling, centerness read from the box branch,
GIoU. The score is the geometric mean of class and centerness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.errors import RecipeError
from vidi.labels import Detections
from vidi.nets.dense._base import DenseHead, centers, flattened, ignored, pad_truth, prior_bias, started
from vidi.ops.assign import center_sampled
from vidi.ops.box_loss import BOX_LOSSES, focal_loss

PRIOR, GROUPS, MOST = 0.01, 32, 8.0
"""First score of every class; most groups of the norms; largest logarithm of a distance in strides."""


class FCOS(DenseHead):
    """Raw: ``logits`` (B, A, C), ``sides`` (B, A, 4) logarithms of the distances in strides to left, top, right and bottom,
    ``centerness`` (B, A) logits, ``points`` (B, A, 3) x, y, stride. See `head` for the arguments."""

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], classes: int, *, depth: int = 2, radius: float = 1.5,
        reach: float = 8.0, box_loss: str = "giou", alpha: float = 0.25, gamma: float = 2.0,
    ):  # fmt: skip
        super().__init__()
        if len(set(channels)) > 1:
            rule = "levels of one width, as the head's weights are shared"
            raise RecipeError(rule, at="neck", value=tuple(channels), fix="fpn, bifpn or none")
        if box_loss not in BOX_LOSSES:
            raise RecipeError(f"one of {', '.join(BOX_LOSSES)}", at="box_loss", value=box_loss)
        width = channels[0]
        self.strides, self.radius, self.reach, self.focal = tuple(strides), radius, reach, (alpha, gamma)
        self.box_loss = BOX_LOSSES[box_loss]
        self.class_tower, self.box_tower = _tower(width, depth), _tower(width, depth)
        self.classes = started(nn.Conv2d(width, classes, 3, padding=1), prior_bias(PRIOR))
        self.sides = started(nn.Conv2d(width, 4, 3, padding=1), 1.0)
        self.middle = started(nn.Conv2d(width, 1, 3, padding=1), 0.0)
        self.scales = nn.Parameter(torch.ones(len(strides)))
        self.kinds = {"logits": "bernoulli", "sides": "euclidean", "centerness": "bernoulli", "points": "aux"}

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        logits, sides, middle = [], [], []
        for i, x in enumerate(maps):
            logits.append(self.classes(self.class_tower(x)))
            inner = self.box_tower(x)
            sides.append(self.sides(inner) * self.scales[i])
            middle.append(self.middle(inner))
        points = centers(maps, self.strides).expand(len(maps[0]), -1, 3)
        central = flattened(middle)[..., 0]
        return {"logits": flattened(logits), "sides": flattened(sides), "centerness": central, "points": points}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Detections]) -> dict[str, Tensor]:
        """``cls`` (focal), ``box`` and ``centerness``."""
        logits, points = raw["logits"].float(), raw["points"]
        truth = pad_truth(labels, logits.device)
        place = points[0]
        free = ~ignored(torch.cat([place[:, :2] - place[:, 2:] / 2, place[:, :2] + place[:, 2:] / 2], 1), truth.crowd)
        index = center_sampled(
            place[:, :2], place[:, 2], truth.boxes, truth.valid, self._ranges(place[:, 2]), allowed=free, radius=self.radius
        )
        b, a = (index >= 0).nonzero(as_tuple=True)
        m = index[b, a]
        target = torch.zeros_like(logits)
        target[b, a, truth.classes[b, m]] = 1
        zero = logits.new_zeros(len(logits))
        scale = 1 / torch.maximum(zero.index_add(0, b, torch.ones_like(b, dtype=zero.dtype)), self.typical)
        wanted = truth.boxes[b, m]
        central = _centerness(points[b, a, :2], wanted)
        box_scale = 1 / torch.maximum(zero.index_add(0, b, central), self.typical)
        box = central * self.box_loss(self.boxes(raw["sides"][b, a], points[b, a]), wanted)
        middle = F.binary_cross_entropy_with_logits(raw["centerness"][b, a].float(), central, reduction="none")
        return {
            "cls": scale * (focal_loss(logits, target, *self.focal).sum(2) * free).sum(1),
            "box": box_scale * zero.index_add(0, b, box),
            "centerness": scale * zero.index_add(0, b, middle),
        }

    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        middle = raw["centerness"].float().sigmoid()[..., None]
        return self.boxes(raw["sides"], raw["points"]), (raw["logits"].float().sigmoid() * middle).sqrt()

    def boxes(self, sides: Tensor, points: Tensor) -> Tensor:
        """(…, 4) float32 boxes in pixels of log distances (…, 4) at points (…, 3)."""
        distances = sides.float().clamp(max=MOST).exp() * points[..., 2:]
        return torch.cat([points[..., :2] - distances[..., :2], points[..., :2] + distances[..., 2:]], -1)

    def _ranges(self, strides: Tensor) -> Tensor:
        """(A, 2): a level answers for boxes whose longest distance is up to `reach` of its strides, and more than the finer levels'."""
        high = [stride * self.reach for stride in self.strides]
        table = torch.tensor(list(zip([0.0, *high[:-1]], [*high[:-1], float("inf")])), device=strides.device)
        levels = torch.tensor(self.strides, dtype=strides.dtype, device=strides.device)
        return table[torch.searchsorted(levels, strides.contiguous())]


def _tower(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers += [conv, nn.GroupNorm(gcd(GROUPS, width, max(1, width // 4)), width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _centerness(points: Tensor, boxes: Tensor) -> Tensor:
    """(P,) in 0..1: 1 in the middle of the box, 0 at its edges."""
    left, right = points[:, 0] - boxes[:, 0], boxes[:, 2] - points[:, 0]
    top, bottom = points[:, 1] - boxes[:, 1], boxes[:, 3] - points[:, 1]
    across = torch.minimum(left, right) / torch.maximum(left, right)
    return (across * torch.minimum(top, bottom) / torch.maximum(top, bottom)).clamp(0, 1).sqrt()


def head(
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    *,
    depth: int = 2,
    radius: float = 1.5,
    reach: float = 8.0,
    box_loss: str = "giou",
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> FCOS:
    """The head on a neck's maps, all of one width.

    Args:
        channels, strides: the neck's.
        space: what the labels mean.
        depth: convolutions in each tower; 4 in the paper.
        radius: places within this many strides of a box's middle learn it.
        reach: a level answers for boxes that reach this many strides from a place; coarser levels take over from there.
        box_loss: ``giou``, ``ciou``, ``diou`` or ``iou``.
        alpha, gamma: of the focal loss.
    """
    return FCOS(
        channels, strides, len(space), depth=depth, radius=radius, reach=reach, box_loss=box_loss, alpha=alpha, gamma=gamma
    )

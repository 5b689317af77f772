"""A detector of one's own parts. Each file may hold one of them; this one holds all three:

    vidi train DATA --task detect --net yolo backbone=./mine.py neck=./mine.py head=./mine.py

or, with settings, ``backbone="./mine.py(width=32)" neck="./mine.py(width=48)" head="./mine.py(depth=2)"``. Any one of the three alone
works too, beside the parts that come with vidi.
"""

import torch
from torch import nn
from torch.nn import functional as F

from vidi.nets.blocks.backbone import Backbone
from vidi.nets.dense._base import DenseHead, centers, flattened, pad_truth, prior_bias
from vidi.nets.necks._base import Neck, plan_levels, resized
from vidi.ops.assign import center_sampled
from vidi.ops.box_loss import focal_loss, giou_loss


def unit(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Ladder(Backbone):
    """Five strided convolutions: maps at strides 2 to 32."""

    def __init__(self, width, in_channels):
        super().__init__()
        self.channels, self.strides = tuple(width * 2**i for i in range(5)), (2, 4, 8, 16, 32)
        inputs = (in_channels, *self.channels)
        self.steps = nn.ModuleList(unit(a, b, 2) for a, b in zip(inputs, self.channels))
        self.points = {f"steps.{i}": channels for i, channels in enumerate(self.channels)}  # where attention may go

    def forward(self, x):
        maps = []
        for step in self.steps:
            x = step(x)
            maps.append(x)
        return maps

    def stages(self):
        return {f"step{i}": step for i, step in enumerate(self.steps, 1)}


def backbone(*, width: int = 16, in_channels: int = 3):
    """The backbone; `width` is the first map's."""
    return Ladder(width, in_channels)


class TopDown(Neck):
    """Each level plus the next coarser one."""

    def __init__(self, channels, strides, width):
        super().__init__()
        plan = plan_levels(strides)  # strides 8, 16 and 32
        self.taken = plan.taken
        self.laterals = nn.ModuleList(nn.Conv2d(channels[i], width, 1) for i in self.taken)
        self.channels, self.strides = (width,) * len(self.taken), plan.strides

    def forward(self, maps):
        levels = [lateral(maps[i]) for lateral, i in zip(self.laterals, self.taken)]
        for i in reversed(range(len(levels) - 1)):
            levels[i] = levels[i] + resized(levels[i + 1], levels[i])
        return levels


def neck(channels, strides, *, width: int = 64):
    """The neck; `width` is every level's."""
    return TopDown(channels, strides, width)


class Simple(DenseHead):
    """Class scores and four distances at every cell: FCOS without its centerness."""

    def __init__(self, channels, strides, classes, depth):
        super().__init__()
        self.strides, width = strides, channels[0]
        self.tower = nn.Sequential(*(unit(width, width) for _ in range(depth)))
        self.classes, self.sides = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.classes.bias, prior_bias(0.01))
        self.kinds = {"logits": "bernoulli", "sides": "euclidean", "points": "aux"}

    def forward(self, maps, size):
        levels = [self.tower(x) for x in maps]
        logits, sides = flattened([self.classes(x) for x in levels]), flattened([self.sides(x) for x in levels])
        return {"logits": logits, "sides": sides, "points": centers(maps, self.strides).expand(len(logits), -1, 3)}

    def boxes(self, sides, points):
        reach = (F.softplus(sides.float()) + 0.1) * points[..., 2:] * 2
        return torch.cat([points[..., :2] - reach[..., :2], points[..., :2] + reach[..., 2:]], -1)

    def loss(self, raw, labels):
        logits, points, truth = raw["logits"].float(), raw["points"], pad_truth(labels, raw["logits"].device)
        places, strides = points[0, :, :2], points[0, :, 2]
        low = torch.where(strides == self.strides[0], 0.0, strides * 4)
        high = torch.where(strides == self.strides[-1], torch.inf, strides * 8)
        index = center_sampled(places, strides, truth.boxes, truth.valid, torch.stack([low, high], 1))
        b, a = (index >= 0).nonzero(as_tuple=True)
        target = torch.zeros_like(logits)
        target[b, a, truth.classes[b, index[b, a]]] = 1
        zero = logits.new_zeros(len(logits))
        count = torch.maximum(target.sum((1, 2)), self.typical)
        box = zero.index_add(0, b, giou_loss(self.boxes(raw["sides"][b, a], points[b, a]), truth.boxes[b, index[b, a]]))
        return {"cls": focal_loss(logits, target).sum((1, 2)) / count, "box": box / count}

    def decode(self, raw):
        return self.boxes(raw["sides"], raw["points"]), raw["logits"].float().sigmoid()


def head(channels, strides, space, *, depth: int = 1):
    """The dense head; `depth` is the number of convolutions in its tower."""
    return Simple(channels, strides, len(space), depth)

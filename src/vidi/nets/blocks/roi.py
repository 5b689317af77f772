"""The second stage of a two-stage detector: features of boxes, pooled from a pyramid and read by small heads.

`RoIPooler` and the trunks serve any head that looks at boxes; `BoxStages` is the one that names and refines them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidi.errors import ChoiceError, nearest
from vidi.nets.dense._base import Truth
from vidi.ops.anchor_match import IGNORED, NEGATIVE, draw_chances, match_anchors
from vidi.ops.box_code import clip_to, decode_boxes, encode_boxes
from vidi.ops.box_loss import smooth_l1_loss

CANONICAL_SIDE, CANONICAL_LEVEL = 224.0, 4.0
POSITIVE_SHARE = 0.25
GROUPS = 32
BETA = 1.0
# x, y, width and height of a moved copy of a true box, in its sides; IoU with it above 0.7.
MOVED = ((0.0, 0.0, 1.0, 1.0), (0.1, 0.05, 1.1, 1.0), (-0.08, 0.1, 1.0, 1.15), (0.05, -0.1, 0.9, 0.9))


class RoIPooler(nn.Module):
    """RoIAlign (He et al. 2017, arXiv:1703.06870) from the level of a pyramid that fits each box (Lin et al. 2017, arXiv:1612.03144).

    All levels are laid side by side on one map, on which each box's sampling points lie in its own level, so one `grid_sample` serves
    them all. Inside the picture this equals torchvision's `MultiScaleRoIAlign`, whose shapes depend on data and cannot be exported,
    and takes half its time.

    Args:
        strides: pixels per cell of each map.
        size: cells per side of what comes out.
        samples: points per cell and side; the paper finds that their number hardly matters.
    """

    def __init__(self, strides: Sequence[int], size: int = 7, samples: int = 1):
        super().__init__()
        self.strides, self.size, self.samples = tuple(strides), size, samples

    def forward(self, maps: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """(B, K, C, size, size) float32.

        Args:
            maps: (B, C, H, W) for each stride.
            boxes: (B, K, 4) x1, y1, x2, y2 in pixels.
        """
        joined, corners = _side_by_side([level.float() for level in maps])
        batch, count = boxes.shape[:2]
        points = self.size * self.samples
        share = (torch.arange(points, dtype=torch.float32, device=boxes.device) + 0.5) / points
        level, boxes = self.level(boxes), boxes.float()
        stride = boxes.new_tensor(self.strides)[level][..., None]  # (B, K, 1)
        axes = []
        for axis in (0, 1):
            start, cells = (boxes.new_tensor([corner[axis + i] for corner in corners])[level][..., None] for i in (0, 2))
            low, high = boxes[..., axis, None] / stride, boxes[..., axis + 2, None] / stride
            place = torch.minimum((low + share * (high - low) - 0.5).clamp_min(0), cells - 1) + start
            axes.append(place * (2 / max(1, joined.shape[3 - axis] - 1)) - 1)  # (B, K, points), −1 to 1 over all
        x, y = axes
        grid = torch.stack([x[:, :, None].expand(-1, -1, points, -1), y[..., None].expand(-1, -1, -1, points)], -1)
        found = F.grid_sample(joined, grid.reshape(batch, count * points, points, 2), align_corners=True, padding_mode="border")
        if self.samples > 1:
            found = F.avg_pool2d(found, self.samples)
        return found.unflatten(2, (count, self.size)).transpose(1, 2)

    def level(self, boxes: Tensor) -> Tensor:
        """(…) int64 for boxes (…, 4), the place in `strides` of each box's level: 224 pixels belong to stride 16, half as many to the
        next finer."""
        strides = torch.tensor(self.strides, dtype=torch.float32, device=boxes.device).log2()
        sides = (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).float().prod(-1).sqrt()
        wanted = (CANONICAL_LEVEL + (sides / CANONICAL_SIDE).clamp_min(1e-6).log2() + 1e-6).floor()
        return (wanted[..., None] - strides).abs().argmin(-1)


def _side_by_side(maps: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, int, int, int]]]:
    """Maps on one, the first above and the others in a row below it, and the x, y, width and height of each there."""
    first, rest = maps[0], maps[1:]
    corners = [(0, 0, first.shape[3], first.shape[2])]
    if not rest:
        return first, corners
    x, tallest = 0, max(level.shape[2] for level in rest)
    for level in rest:
        corners.append((x, first.shape[2], level.shape[3], level.shape[2]))
        x += level.shape[3]
    row = torch.cat([F.pad(level, (0, 0, 0, tallest - level.shape[2])) for level in rest], 3)
    widest = max(x, first.shape[3])
    return torch.cat([F.pad(part, (0, widest - part.shape[3])) for part in (first, row)], 2), corners


class LinearTrunk(nn.Sequential):
    """Two fully connected layers (Lin et al. 2017): (R, C, s, s) to (R, hidden)."""

    def __init__(self, width: int, size: int, hidden: int):
        layers = [nn.Linear(width * size * size, hidden), nn.Linear(hidden, hidden)]
        for layer in layers:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        super().__init__(nn.Flatten(), layers[0], nn.ReLU(inplace=True), layers[1], nn.ReLU(inplace=True))


class ConvTrunk(nn.Sequential):
    """Four 3×3 convolutions with group normalization and one fully connected layer (Wu and He 2018, arXiv:1803.08494)."""

    def __init__(self, width: int, size: int, hidden: int):
        layers: list[nn.Module] = []
        for _ in range(4):
            conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers += [conv, nn.GroupNorm(math.gcd(width, GROUPS), width), nn.ReLU(inplace=True)]
        linear = nn.Linear(width * size * size, hidden)
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        super().__init__(*layers, nn.Flatten(), linear, nn.ReLU(inplace=True))


TRUNKS: dict[str, Callable[[int, int, int], nn.Module]] = {"fc": LinearTrunk, "conv": ConvTrunk}


class BoxStage(nn.Module):
    """Class logits and offsets of pooled boxes.

    Args:
        trunk: a name of `TRUNKS`.
        width, size, hidden: channels and cells of what is pooled; channels of the trunk.
        classes: C; background comes last.
        agnostic: one box for all classes instead of one for each.
        overlap: IoU from which on a box counts as a true one.
        weights: of the offsets, see `encode_boxes`.

    Raises:
        ChoiceError: no such trunk.
    """

    def __init__(
        self, trunk: str, width: int, size: int, hidden: int, classes: int, *, agnostic: bool, overlap: float,
        weights: Sequence[float],
    ):  # fmt: skip
        super().__init__()
        if trunk not in TRUNKS:
            close = nearest(trunk, TRUNKS)
            raise ChoiceError("no such trunk", at="trunk", value=trunk, fix=f"one of: {', '.join(close or TRUNKS)}")
        self.trunk = TRUNKS[trunk](width, size, hidden)
        self.classify, self.refine = nn.Linear(hidden, classes + 1), nn.Linear(hidden, 4 if agnostic else 4 * classes)
        for layer, std in ((self.classify, 0.01), (self.refine, 0.001)):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
        self.overlap, self.weights, self.agnostic = overlap, tuple(weights), agnostic

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, C, s, s) to logits (B, K, C + 1) and offsets (B, K, 1 or C, 4)."""
        hidden = self.trunk(pooled.flatten(0, 1))
        logits, offsets = self.classify(hidden), self.refine(hidden).unflatten(1, (-1, 4))
        return logits.unflatten(0, pooled.shape[:2]), offsets.unflatten(0, pooled.shape[:2])


class BoxStages(nn.Module):
    """One stage, or a cascade in which each stage refines the boxes of the one before (Cai and Vasconcelos 2018, arXiv:1712.00726).

    Args:
        pooler: of the pyramid's levels that are read.
        stages: in their order.
        drawn: boxes per picture that count in the loss, see `draw_chances`.
        copies: most moved copies of true boxes per picture that are learned besides the proposals.
    """

    stages: Sequence[BoxStage]

    def __init__(self, pooler: RoIPooler, stages: Sequence[BoxStage], *, drawn: int = 64, copies: int = 32):
        super().__init__()
        self.pooler = pooler
        self.stages = nn.ModuleList(stages)  # type: ignore[assignment]
        self.drawn, self.copies = drawn, copies

    def forward(self, maps: Sequence[Tensor], proposals: Tensor, height: int, width: int) -> dict[str, Tensor]:
        """For stage i: ``boxes{i}`` (B, K, 4) that it looked at, ``logits{i}`` (B, K, C + 1) and ``offsets{i}`` (B, K, 1 or C, 4);
        and ``logits`` (B, C + 1, K), whose softmax is the mean of the stages'."""
        raw: dict[str, Tensor] = {}
        boxes, scores = proposals, []
        for i, stage in enumerate(self.stages):
            raw[f"boxes{i}"] = boxes
            raw[f"logits{i}"], raw[f"offsets{i}"] = stage(self.pooler(maps, boxes))
            scores.append(raw[f"logits{i}"].float().log_softmax(2))
            if i + 1 < len(self.stages):
                refined = decode_boxes(raw[f"offsets{i}"][:, :, 0].detach().float(), boxes, stage.weights)
                boxes = clip_to(refined, height, width)
        joint = torch.stack(scores).logsumexp(0) if len(scores) > 1 else raw["logits0"]
        raw["logits"] = joint.transpose(1, 2)
        return raw

    def loss(self, maps: Sequence[Tensor], raw: Mapping[str, Tensor], truth: Truth) -> dict[str, Tensor]:
        """``class`` and ``box``, each (B,), over the number of boxes drawn, averaged over the stages.

        The proposals' outputs are those of `forward`; besides, each stage learns true boxes and moved copies of them, so that it has
        something to learn from before the proposals are good.
        """
        copies = [_moved(boxes[valid], self.copies) for boxes, valid in zip(truth.boxes, truth.valid)]
        longest = max(map(len, copies))
        pooled = None
        if longest:
            pooled = self.pooler(maps, torch.stack([F.pad(one, (0, 0, 0, longest - len(one))) for one in copies]))
        entropies, distances = [], []
        for i, stage in enumerate(self.stages):
            more = None if pooled is None else stage(pooled)
            for j, one in enumerate(copies):
                given = [raw[f"{name}{i}"][j].float() for name in ("boxes", "logits", "offsets")]
                taken = match_anchors(given[0], truth.boxes[j, truth.valid[j]], truth.crowd[j], high=stage.overlap)
                if more is not None:
                    also = match_anchors(one, truth.boxes[j, truth.valid[j]], high=stage.overlap)
                    taken = torch.cat([taken, also.masked_fill(also == NEGATIVE, IGNORED)])
                    added = (one, *(part[j, : len(one)].float() for part in more))
                    given = [torch.cat(pair) for pair in zip(given, added)]
                boxes, logits, offsets = given
                entropy, distance = self._loss(stage, boxes, logits, offsets, taken, truth.boxes[j], truth.classes[j])
                entropies.append(entropy)
                distances.append(distance)
        return {
            name: torch.stack(values).view(len(self.stages), -1).mean(0)
            for name, values in (("class", entropies), ("box", distances))
        }

    def _loss(
        self, stage: BoxStage, boxes: Tensor, logits: Tensor, offsets: Tensor, taken: Tensor, true: Tensor, classes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both parts of one picture, one stage, from boxes (K, 4), logits, offsets and what each answers for (K,)."""
        chances = draw_chances(taken, self.drawn, POSITIVE_SHARE) / self.drawn
        index = (taken >= 0).nonzero()[:, 0]
        target = torch.full_like(taken, logits.shape[1] - 1)
        target[index] = classes[taken[index]]
        entropy = (F.cross_entropy(logits, target, reduction="none") * chances).sum()
        own = offsets[index, 0] if stage.agnostic else offsets[index, target[index]]
        wanted = encode_boxes(true[taken[index]], boxes[index], stage.weights)
        return entropy, (smooth_l1_loss(own, wanted, BETA).sum(1) * chances[index]).sum()

    def decode(self, raw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (B, K, 1 or C, 4) and scores (B, K, C), without background."""
        last = len(self.stages) - 1
        boxes = decode_boxes(raw[f"offsets{last}"].float(), raw[f"boxes{last}"][:, :, None], self.stages[last].weights)
        return boxes, raw["logits"].float().softmax(1)[:, :-1].transpose(1, 2)


def _moved(boxes: Tensor, most: int) -> Tensor:
    """True boxes (G, 4) and moved copies of them, (M, 4): the boxes first, `most` in all, spread evenly if there are more."""
    sides = boxes[:, 2:] - boxes[:, :2]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    copies = []
    for x, y, width, height in MOVED:
        center, half = middle + sides * sides.new_tensor([x, y]), sides * sides.new_tensor([width, height]) / 2
        copies.append(torch.cat([center - half, center + half], 1))
    every = torch.cat(copies)
    if len(every) <= most:
        return every
    if len(boxes) <= most:
        return every[:most]
    return every[torch.arange(most, device=boxes.device) * len(boxes) // most]

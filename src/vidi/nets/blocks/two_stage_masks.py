"""Boxes in two looks, and masks in a third."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vidi.labels import Detections, Label
from vidi.nets.blocks.mask_head import MaskStages, own_boxes
from vidi.nets.blocks.mask_truth import array, size_of, size_rows, true_cutouts
from vidi.nets.blocks.two_stage import TwoStage
from vidi.nets.dense._base import pad_truth
from vidi.ops.masks import paste
from vidi.ops.nms import pick


class TwoStageMasks(TwoStage):
    """`TwoStage` with masks: its candidates are those that got one. With boxes per class, a candidate's box is that of its best class.

    Args:
        backbone, neck, rpn, head, space, in_channels: see `TwoStage`.
    """

    head: MaskStages

    def __init__(self, *parts: Any, **settings: Any):
        super().__init__(*parts, **settings)
        self.kinds = dict(self.kinds) | {"masks": "bernoulli"} | dict.fromkeys(("mask_places", "mask_boxes", "size"), "aux")

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        raw = super().forward(inputs)
        height, width = inputs["image"].shape[2:]
        return raw | {"size": size_rows((height, width), raw["proposals"])}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Any]) -> dict[str, Tensor]:
        """Those of `TwoStage`, and ``mask``."""
        truth, size = pad_truth(labels, raw["logits"].device), size_of(raw["size"])
        maps = [raw[f"map{i}"] for i in range(self.pooled)]
        return super().loss(raw, labels) | {
            "mask": self.head.mask_loss(maps, raw, truth, [true_cutouts(one, size) for one in labels])
        }

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        """Boxes as those of `TwoStage`, with masks of the tensor's size."""
        boxes, scores = self.head.decode(raw)
        places = raw["mask_places"].long()
        scores = scores.gather(1, places[..., None].expand(-1, -1, scores.shape[2]))
        boxes = boxes.gather(1, places[..., None, None].expand(-1, -1, *boxes.shape[2:]))
        boxes, size = own_boxes(boxes, scores.argmax(2)), size_of(raw["size"])
        return [self._things(raw["masks"][i], raw["mask_boxes"][i], boxes[i], scores[i], size) for i in range(len(boxes))]

    def _things(self, masks: Tensor, frames: Tensor, boxes: Tensor, scores: Tensor, size: tuple[int, int]) -> Detections:
        """The things on one picture among M boxes (M, 4) with scores (M, C), whose masks (M, 1 or C, h, w) lie in frames (M, 4)."""
        corners = array(boxes)
        rows, values, classes = pick(
            corners, array(scores), conf=self.conf, iou=self.nms_iou, max_det=self.max_det, method=self.nms
        )
        index = torch.as_tensor(rows, device=masks.device)
        own = masks[index, torch.as_tensor(classes, device=masks.device) if masks.shape[1] > 1 else 0]
        soft = array(own.float().sigmoid())
        return Detections(corners[rows], values, classes, paste(soft, corners[rows], size, array(frames)[rows]))

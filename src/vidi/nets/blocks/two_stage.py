"""Boxes in two looks: normalize, backbone, neck, proposals, and a closer look at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidi.core.space import Space
from vidi.labels import Detections, Label
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.backbone_net import BackboneNet
from vidi.nets.blocks.one_stage import padded
from vidi.nets.blocks.roi import BoxStages
from vidi.nets.blocks.rpn import RPN
from vidi.nets.dense._base import pad_truth
from vidi.nets.heads._base import check_space
from vidi.ops.nms import select


class TwoStage(BackboneNet):
    """A region proposal network on a neck's maps, and box heads on what RoIAlign pools there.

    `forward` never sees truth: it proposes a fixed number of boxes per picture and reads them. `loss` reuses what it read of them, and
    reads true boxes besides from the maps, which are raw outputs ``map0``, ``map1``, … for that. Further heads on boxes (masks) extend
    `forward` with `self.head.pooler`, and `loss` with the same maps.

    Args:
        backbone: the feature extractor; attention is in it already.
        neck: on the backbone's maps.
        rpn: on all of the neck's maps.
        head: on the first of the neck's maps, as many as its pooler has strides.
        space: what the labels mean.
        in_channels: channels of the pictures.

    Attributes:
        conf: boxes must score more than this.
        nms_iou: overlap above which the lesser of two boxes of a class goes.
        max_det: most boxes per picture.
        nms: how doubles go, see `vidi.ops.nms.suppress`.
    """

    def __init__(self, backbone: Backbone, neck: nn.Module, rpn: RPN, head: BoxStages, space: Space, *, in_channels: int = 3):
        check_space(space, "Detections")
        super().__init__(backbone, space, in_channels)
        self.neck, self.rpn, self.head = neck, rpn, head
        self.conf, self.nms_iou, self.max_det, self.nms = 0.05, 0.5, 100, "hard"
        self.pooled = len(head.pooler.strides)
        aux = ["features", "anchors", "proposals", *(f"map{i}" for i in range(self.pooled))]
        aux += [f"{name}{i}" for i in range(len(head.stages)) for name in ("boxes", "logits", "offsets")]
        self.kinds = {"logits": "categorical", "objectness": "bernoulli", "rpn_offsets": "euclidean"} | dict.fromkeys(aux, "aux")

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        image = inputs["image"]
        height, width = image.shape[2], image.shape[3]
        maps = self.neck(self.backbone(padded(self.normalize(image))))
        raw = {"features": maps[-1].mean((2, 3)), **self.rpn(maps, height, width)}
        raw |= {f"map{i}": maps[i] for i in range(self.pooled)}
        return raw | self.head(maps[: self.pooled], raw["proposals"], height, width)

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Any]) -> dict[str, Tensor]:
        """``rpn_objectness``, ``rpn_box``, ``class`` and ``box``."""
        truth = pad_truth(labels, raw["logits"].device)
        return self.rpn.loss(raw, truth) | self.head.loss([raw[f"map{i}"] for i in range(self.pooled)], raw, truth)

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        """Boxes in tensor pixels, not clipped to the picture, by falling score."""
        boxes, scores = (values.detach().cpu().numpy() for values in self.head.decode(raw))
        return [Detections(*self._select(*one)) for one in zip(boxes, scores)]

    def _select(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The things among (K, 1 or C, 4) boxes with (K, C) scores."""
        settings: dict[str, Any] = {"conf": self.conf, "iou": self.nms_iou, "max_det": self.max_det, "method": self.nms}
        if boxes.shape[1] == 1:
            return select(boxes[:, 0], scores, **settings)
        rows, classes = np.nonzero(scores > self.conf)
        alone = np.zeros((len(rows), scores.shape[1]), np.float32)
        alone[np.arange(len(rows)), classes] = scores[rows, classes]
        return select(boxes[rows, classes], alone, **settings)

    def stages(self) -> dict[str, nn.Module]:
        return super().stages() | {"neck": self.neck, "rpn": self.rpn, "head": self.head}

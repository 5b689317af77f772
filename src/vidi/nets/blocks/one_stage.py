"""Boxes in one look: normalize, backbone, neck, dense head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vidi.core.space import Space
from vidi.labels import Label
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.backbone_net import BackboneNet
from vidi.nets.dense._base import DenseHead
from vidi.nets.heads._base import check_space
from vidi.nets.necks._base import Neck

PAD_TO = 32


class OneStage(BackboneNet):
    """A backbone's pyramid, mixed by a neck and read at every place by a dense head.

    Args:
        backbone: the feature extractor; attention is in it already, see `attended`.
        neck: on the backbone's maps.
        head: on the neck's maps.
        space: what the labels mean.
        in_channels: channels of the pictures.

    Attributes:
        conf: boxes must score more than this.
        nms_iou: overlap above which the lesser of two boxes of a class goes.
        max_det: most boxes per picture.
        nms: how doubles go, see `vidi.ops.nms.suppress`.
    """

    def __init__(self, backbone: Backbone, neck: Neck, head: DenseHead, space: Space, *, in_channels: int = 3):
        check_space(space, "Detections")
        super().__init__(backbone, space, in_channels)
        self.neck, self.head = neck, head
        self.kinds = dict(head.kinds) | {"features": "aux"}
        self.conf, self.nms_iou, self.max_det, self.nms = 0.05, 0.6, 100, head.nms

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        image = inputs["image"]
        maps = self.neck(self.backbone(padded(self.normalize(image))))
        return {"features": maps[-1].mean((2, 3)), **self.head(maps, (image.shape[2], image.shape[3]))}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Any]) -> dict[str, Tensor]:
        return self.head.loss(raw, labels)

    @torch.no_grad()
    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        """Boxes in tensor pixels, not clipped to the picture, by falling score. Pictures are read one by one, so that none's last digit
        depends on its place in the batch."""
        settings: dict[str, Any] = {"conf": self.conf, "iou": self.nms_iou, "max_det": self.max_det, "method": self.nms}
        found: list[Label] = []
        for i in range(len(next(iter(raw.values())))):
            one = {key: value[i : i + 1].detach().contiguous() for key, value in raw.items()}
            found.append(self.head.found(one, **settings))
        return found

    def stages(self) -> dict[str, torch.nn.Module]:
        return {**super().stages(), "neck": self.neck, "head": self.head}

    def fit_labels(self, labels: Sequence[Any]) -> None:
        self.head.fit_labels(labels)


def padded(x: Tensor, multiple: int = PAD_TO) -> Tensor:
    """Zeros (the mean color, behind the normalization) at the right and bottom, so that both sides are multiples; places keep
    their pixel coordinates."""
    down, right = -x.shape[2] % multiple, -x.shape[3] % multiple
    return F.pad(x, (0, right, 0, down)) if down or right else x


def attended(backbone: Backbone, attention: str | None) -> Backbone:
    """The backbone with attention blocks in it, see `insert_attention`; None: as it is."""
    if attention:
        from vidi.nets.blocks.attention import insert_attention

        insert_attention(backbone, attention)
    return backbone

"""One label per picture: normalize, backbone, pooling, dropout, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from vidi.core.discovery import load, member
from vidi.core.space import Space
from vidi.labels import Label
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.backbone_net import BackboneNet
from vidi.nets.blocks.pool import create_pool


class Pooled(BackboneNet):
    """A map of a backbone, pooled to one vector per picture, read by a head.

    Args:
        backbone: the feature extractor.
        space: what the labels mean.
        head: name of a head (``nets/heads``) or a path to one.
        attention: name of an attention block inserted in the backbone, see `insert_attention`; None: none.
        pool: name of a pooling, see `create_pool`.
        level: which of the backbone's maps, from fine to coarse.
        dropout: share of the pooled features dropped in training, 0..1.
        in_channels: channels of the pictures.
        head_options: passed to the head.
    """

    def __init__(
        self,
        backbone: Backbone,
        space: Space,
        head: str,
        *,
        attention: str | None = None,
        pool: str = "avg",
        level: int = -1,
        dropout: float = 0.0,
        in_channels: int = 3,
        head_options: Mapping[str, Any] | None = None,
    ):
        super().__init__(backbone, space, in_channels)
        if attention:
            from vidi.nets.blocks.attention import insert_attention

            insert_attention(backbone, attention)
        self.level = level
        self.pool, features = create_pool(pool, backbone.channels[level])
        self.dropout = nn.Dropout(dropout)
        self.head = member(load("nets/heads", head), "head", "nets/heads")(features, space, **(head_options or {}))
        self.kinds = dict(self.head.kinds) | {"features": "aux"}

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        features = self.pool(self.backbone(self.normalize(inputs["image"]))[self.level])
        return {"features": features, **self.head(self.dropout(features))}

    def loss(self, raw: Mapping[str, Tensor], labels: Sequence[Label]) -> dict[str, Tensor]:
        return self.head.loss(raw, labels)

    def decode(self, raw: Mapping[str, Tensor]) -> list[Label]:
        return self.head.decode(raw)

    def stages(self) -> dict[str, nn.Module]:
        return {**super().stages(), "pool": self.pool, "head": self.head}

    def fit_labels(self, labels: Sequence[Label]) -> None:
        self.head.fit_labels(labels)

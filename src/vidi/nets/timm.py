"""Any backbone of timm, by name: ``--net timm name=convnext_atto``.

timm (Wightman 2019, Apache-2.0) implements several hundred designs; each one's paper is in its module there. Weights have licences of
their own, which ``weights=imagenet`` notes in the model file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidi.core.space import Space
from vidi.nets.blocks.library import LibraryBackbone
from vidi.nets.blocks.pooled import Pooled


def backbone(*, name: str = "resnet18", drop_path: float = 0.0, in_channels: int = 3) -> LibraryBackbone:
    """See `net`."""
    return LibraryBackbone(name, drop_path, in_channels)


def net(
    space: Space,
    head: str,
    *,
    name: str = "resnet18",
    drop_path: float = 0.0,
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        name: one of `timm.list_models`, such as ``convnext_atto`` or ``vit_tiny_patch16_224``.
        drop_path: largest rate of stochastic depth, for the designs that have it.
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(name=name, drop_path=drop_path, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

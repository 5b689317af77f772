"""EfficientNet-B0 to -B4 and -Lite0, as timm (Apache-2.0) builds them.

Design: Tan and Le 2019, *EfficientNet*, arXiv:1905.11946. Lite0 (Liu 2020) has no squeeze-and-excitation and ReLU6 for Swish, which
quantizes well. Input sizes of the published weights: 224, 240, 260, 300, 380 pixels for B0 to B4, 224 for Lite0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidi.core.space import Space
from vidi.errors import ChoiceError
from vidi.nets.blocks.library import LibraryBackbone
from vidi.nets.blocks.pooled import Pooled

VARIANTS = {
    "b0": "efficientnet_b0",
    "b1": "efficientnet_b1",
    "b2": "efficientnet_b2",
    "b3": "efficientnet_b3",
    "b4": "efficientnet_b4",
    "lite0": "tf_efficientnet_lite0",
}


def backbone(*, variant: str = "b0", drop_path: float = 0.0, in_channels: int = 3) -> LibraryBackbone:
    """See `net`."""
    if variant not in VARIANTS:
        raise ChoiceError("no such variant", at="variant", value=variant, fix=f"one of: {', '.join(VARIANTS)}")
    return LibraryBackbone(VARIANTS[variant], drop_path, in_channels)


def net(
    space: Space,
    head: str,
    *,
    variant: str = "b0",
    drop_path: float = 0.0,
    attention: str | None = None,
    pool: str = "avg",
    dropout: float = 0.0,
    in_channels: int = 3,
    head_options: Mapping[str, Any] | None = None,
) -> Pooled:
    """The net with a head.

    Args:
        variant: ``b0`` to ``b4``, or ``lite0``.
        drop_path: largest rate of stochastic depth; the paper trains with 0.2.
        attention, pool, dropout, in_channels, head_options: see `Pooled`.
    """
    body = backbone(variant=variant, drop_path=drop_path, in_channels=in_channels)
    return Pooled(
        body, space, head, attention=attention, pool=pool, dropout=dropout, in_channels=in_channels, head_options=head_options
    )

"""What nets on a backbone share: normalized pixels, the backbone's maps, and their part of the stages."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vidi.core.kinds import Pixels
from vidi.core.net import Net
from vidi.core.space import Space
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.blocks.normalize import AT_ONCE, Normalize


class BackboneNet(Net):
    """A net whose first layers are `normalize`, with the backbone's values, and `backbone`.

    Args:
        backbone: the feature extractor.
        space: what the labels mean.
        in_channels: channels of the pictures.
    """

    def __init__(self, backbone: Backbone, space: Space, in_channels: int = 3):
        super().__init__()
        self.space, self.inputs = space, {"image": Pixels(in_channels)}
        fits = len(backbone.mean) == in_channels
        self.normalize = Normalize(in_channels, backbone.mean if fits else None, backbone.std if fits else None)
        self.backbone = backbone

    def stages(self) -> dict[str, nn.Module]:
        """Normalization and what there is of the backbone; nets add what comes behind."""
        return {"normalize": self.normalize, **{name: stage for name, stage in self.backbone.stages().items() if not isinstance(stage, nn.Identity)}}

    @torch.no_grad()
    def prepare(self, inputs: Mapping[str, Tensor]) -> None:
        """Fit the normalization to the pictures, then let the backbone look at them."""
        image = inputs["image"]
        self.normalize.fit(image)
        self.backbone.prepare(torch.cat([self.normalize(part) for part in image.split(AT_ONCE)]) if len(image) else self.normalize(image))

"""A layer's maps, weighted at each place by the positive gradient there, which keeps them sharp at early layers too (Jiang et al. 2021,
LayerCAM, IEEE Transactions on Image Processing 30)."""

from __future__ import annotations

from torch import Tensor

from vidi.methods.explain._cam import Cam


class LayerCam(Cam):
    name = "layercam"

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        return (slopes.relu() * maps).sum(1)


def explainer(*, layer: str | None = None) -> LayerCam:
    """The method; see `Cam` for the setting."""
    return LayerCam(layer)

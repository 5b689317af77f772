"""A layer's maps, each weighted by its mean gradient (Selvaraju et al. 2017, arXiv:1610.02391)."""

from __future__ import annotations

from torch import Tensor

from vidi.methods.explain._cam import Cam


class GradCam(Cam):
    name = "gradcam"

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        return (slopes.mean((2, 3), keepdim=True) * maps).sum(1)


def explainer(*, layer: str | None = None) -> GradCam:
    """The method; see `Cam` for the setting."""
    return GradCam(layer)

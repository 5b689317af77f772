"""Which explainer suits a net."""

from __future__ import annotations

from torch import Tensor

from vidi.core.net import Net
from vidi.core.seeds import Draw
from vidi.errors import InputError
from vidi.methods.explain._base import Explainer, make_explainer
from vidi.methods.explain._target import Target

WHOLE, LOCAL, THING = ("gradcam", "integrated_gradients", "rise"), ("layercam", "integrated_gradients", "rise"), ("layercam", "drise")
"""In the order they are tried: for a picture, for what is decided place by place (Grad-CAM's mean over places says too little of it), and for
one thing."""


def choose(net: Net, images: Tensor, target: Target, draw: Draw, *, layer: str | None = None) -> Explainer:
    """The first of the usual explainers that works with a net.

    Args:
        net: that `target` reads.
        images: (B, 3, H, W), of which the first is tried.
        target: of these pictures.
        draw: one row per picture.
        layer: for those that have such a setting.

    Raises:
        InputError: none works; what the last one says.
    """
    names = THING if target.thing else LOCAL if target.local else WHOLE
    first = target[draw.indices.new_zeros(1)] if len(images) else target
    for i, name in enumerate(names):
        explainer = make_explainer(name, **({"layer": layer} if layer is not None and i == 0 else {}))
        try:
            if explainer.gradients:
                explainer.maps(net, images[:1], first, draw[draw.indices.new_zeros(1)] if len(images) else draw)
            return explainer
        except InputError:
            if i == len(names) - 1 or (layer is not None and i == 0):
                raise
    raise InputError("no explainer works with this net", at="method", fix="method=occlusion")

"""Where a net has feature maps, and how they are caught on their way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vidi.core.net import Net
from vidi.errors import InputError, nearest
from vidi.methods.explain._target import Target

BODY = "backbone"
SKIPPED = ("normalize", "head")
"""Stages whose maps are no features of the picture, or the answer itself."""
LEAST_CELLS = 5
"""Coarser maps show too little of where something is: those of nets made for larger pictures than the canvas."""


@dataclass(slots=True)
class Caught:
    """What a layer gave.

    Args:
        maps: (B, C, h, w) each, in the order they came; one for most layers.
        extent: (height, width) in pixels of what the maps show: the picture, with what it was padded by at the right and bottom.
    """

    maps: list[Tensor] = field(default_factory=list)
    extent: tuple[int, int] = (0, 0)


def modules_of(net: Net) -> dict[str, nn.Module]:
    """Layers by name: stages, and every module by its path."""
    return {**{name: module for name, module in net.named_modules() if name}, **net.stages()}


@contextlib.contextmanager
def catching(net: Net, layer: str) -> Iterator[Caught]:
    """Catch what a layer gives within the block. What goes on through the net are copies, so that layers that work in place change none of
    it.

    Raises:
        InputError: no such layer.
    """
    modules = modules_of(net)
    if layer not in modules:
        close = nearest(layer, modules, 5)
        raise InputError("no such layer", at="layer", value=layer, fix=f"nearest: {', '.join(close)}" if close else f"stages: {', '.join(net.stages())}")
    found = Caught()

    def keep(module: nn.Module, inputs: Any, output: Any) -> Any:
        maps = _maps(output)
        found.maps += maps
        return _copied(output) if maps else None

    def measure(module: nn.Module, inputs: Any) -> None:
        for value in inputs:
            if isinstance(value, Tensor) and value.ndim == 4:
                found.extent = max(found.extent, (value.shape[2], value.shape[3]))

    hooks = [modules[layer].register_forward_hook(keep)]
    hooks += [stage.register_forward_pre_hook(measure) for name, stage in net.stages().items() if name not in SKIPPED]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _maps(output: Any) -> list[Tensor]:
    """The maps (B, C, h, w) in what a layer gave."""
    if isinstance(output, Tensor):
        return [output] if output.ndim == 4 and output.is_floating_point() else []
    return [part for one in output for part in _maps(one)] if isinstance(output, (list, tuple)) else []


def _copied(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.clone()
    return type(output)(_copied(one) for one in output) if type(output) in (list, tuple) else output


@torch.no_grad()
def default_layer(net: Net, images: Tensor, others: Mapping[str, Tensor] | None = None) -> str:
    """The last stage before the head that gives maps of five cells or more along their shorter side (where none does, the finest); of
    nets of tokens the whole backbone, where it gives a map.

    Args:
        images: (B, 3, H, W), of which the first is looked at.

    Raises:
        InputError: nothing before the head gives maps.
    """
    body = dict(net.named_children()).get(BODY)
    stages = {name: stage for name, stage in net.stages().items() if name not in SKIPPED}
    seen: dict[str, tuple[int, int]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            parts = [part for part in (output if isinstance(output, (list, tuple)) else [output]) if isinstance(part, Tensor)]
            seen[name] = max(((part.ndim, min(part.shape[2:], default=0)) for part in parts), default=(0, 0))

        return hook

    watched = stages | ({BODY: body} if body is not None else {})
    hooks = [module.register_forward_hook(note(name)) for name, module in watched.items()]
    try:
        net({"image": images[:1], **{key: value[:1] for key, value in (others or {}).items()}})
    finally:
        for one in hooks:
            one.remove()
    spread = [name for name in stages if seen.get(name, (0, 0))[0] >= 3]
    odd = getattr(body, "layout", "maps") != "maps" or (spread and seen[spread[-1]][0] == 3)
    if odd and seen.get(BODY, (0, 0))[0] == 4:
        return BODY
    found = [name for name in spread if seen[name][0] == 4]
    if not found or odd:
        raise InputError("no stage of this net gives feature maps", at="layer", fix="method=integrated_gradients or rise; or layer=PATH of a module that gives maps")
    fine = [name for name in found if seen[name][1] >= LEAST_CELLS]
    return fine[-1] if fine else max(reversed(found), key=lambda name: seen[name][1])


def slopes_at(net: Net, images: Tensor, target: Target, layer: str) -> tuple[list[tuple[Tensor, Tensor]], tuple[int, int]]:
    """Maps of a layer with the target's gradients for them, (B, C, h, w) each, and the size in pixels of what they show.

    Raises:
        InputError: no such layer, one without maps, or no gradient reaches it.
    """
    with catching(net, layer) as caught:
        value = target(target.outputs(images.detach().requires_grad_(True)))
    if not caught.maps:
        raise InputError("this layer gives no feature maps (B, C, H, W)", at="layer", value=layer, fix=f"stages: {', '.join(net.stages())}")
    wanted = [one for one in caught.maps if one.requires_grad]
    slopes = torch.autograd.grad(value.sum(), wanted, allow_unused=True) if wanted and value.requires_grad else ()
    pairs = [(one.detach(), slope) for one, slope in zip(wanted, slopes) if slope is not None]
    if not pairs:
        raise InputError("no gradient of what is explained reaches this layer", at="layer", value=layer, fix="an earlier layer, method=rise, or method=drise for things")
    return pairs, max(caught.extent, (images.shape[2], images.shape[3]))

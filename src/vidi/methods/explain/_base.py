"""What every explainer is: relevance of each pixel for one number that a net gives of a picture."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from vidi.core.calls import parse_call
from vidi.core.discovery import load, make, member
from vidi.core.net import Net
from vidi.core.recipe import split_list
from vidi.core.seeds import Draw
from vidi.engine.held import held
from vidi.errors import InputError
from vidi.methods.explain._aim import blurred
from vidi.methods.explain._target import Target

ROOM = "methods/explain"
CHUNK, PIXELS = 64, 16 * 256 * 256
"""Most pictures, and most pixels, per look where a method makes many pictures out of one."""
FILLS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "black": torch.zeros_like,
    "blur": blurred,
    "mean": lambda images: images.mean((2, 3), keepdim=True).expand_as(images),
}
"""What stands where nothing of a picture (B, 3, H, W) shall be seen."""


class Explainer(ABC):
    """A way to explain. A file of ``methods/explain`` defines ``explainer(**settings) -> Explainer``.

    Attributes:
        name: of the method.
        gradients: needs gradients with respect to the picture or a layer.
        signed: relevance below zero speaks against the target.
    """

    name: ClassVar[str]
    gradients: ClassVar[bool] = False
    signed: ClassVar[bool] = False

    @abstractmethod
    def relevance(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        """Relevance (B, H, W); `maps` checks what comes in and goes out."""

    def maps(self, net: Net, images: Tensor, target: Target, draw: Draw) -> Tensor:
        """Relevance of each pixel, (B, H, W) float32, larger where it supports the target more; the net, its mode and its parameters stay
        as they are.

        Args:
            net: that `target` reads.
            images: (B, 3, H, W) float in 0..1.
            target: what is explained of them.
            draw: randomness, one row per picture.

        Raises:
            InputError: the method cannot work with this net or target.
        """
        if not len(images):
            return images.new_zeros((0, *images.shape[2:]))
        with torch.inference_mode(False), held(net), torch.set_grad_enabled(self.gradients):
            found = self.relevance(net, images.detach().clone(), target, draw).detach().float()
        if found.shape != (len(images), *images.shape[2:]):
            raise ValueError(f"relevance of {self.name}: expected {(len(images), *images.shape[2:])}, got {tuple(found.shape)}")
        return torch.where(found.isfinite(), found, 0.0)


def slope(images: Tensor, target: Target) -> Tensor:
    """The gradient of a target with respect to pictures, (B, 3, H, W).

    Raises:
        InputError: no gradient comes through the net.
    """
    images = images.detach().requires_grad_(True)
    value = target(target.outputs(images))
    found = torch.autograd.grad(value.sum(), images, allow_unused=True)[0] if value.requires_grad else None
    if found is None:
        raise no_gradient()
    return found


def copies(images: Tensor) -> int:
    """How many changed copies of each of (B, 3, H, W) pictures are looked at together."""
    return max(1, min(CHUNK, PIXELS // (images.shape[2] * images.shape[3])) // len(images))


def no_gradient() -> InputError:
    """The error for nets that cut the gradient on its way."""
    return InputError("no gradient of what is explained comes through this net", at="method", fix="method=rise, method=occlusion, or method=drise for things")


def known_fill(how: str, at: str = "fill") -> str:
    """A name of `FILLS`.

    Raises:
        InputError: no such way.
    """
    if how not in FILLS:
        raise InputError("no such way to hide pixels", at=at, value=how, fix=f"one of {', '.join(FILLS)}")
    return how


def at_least(least: float, **values: float | None) -> None:
    """
    Raises:
        InputError: a setting is not a number, or smaller.
    """
    for name, value in values.items():
        if value is not None and (isinstance(value, str) or not value >= least):
            raise InputError("too small, or not a number", at=name, value=value, fix=f"{least:g} or more")


def make_explainer(name: str, **settings: Any) -> Explainer:
    """An explainer by name or path, with its settings.

    Raises:
        ChoiceError: no such method.
        InputError: settings that it does not have or refuses.
    """
    return make(ROOM, "explainer", name, settings, fix="see `vidi list explainers`")


def parse_methods(text: str, *, layer: str | None = None, steps: int | None = None) -> dict[str, Explainer]:
    """Explainers by what ``gradcam,rise(masks=500)`` calls them.

    Args:
        layer, steps: go to those of the methods that have such a setting.

    Raises:
        RecipeError: not of this form.
        ChoiceError: no such method.
        InputError: a setting that no method has or that is refused.
    """
    found: dict[str, Explainer] = {}
    shared = {key: value for key, value in (("layer", layer), ("steps", steps)) if value is not None}
    used: set[str] = set()
    for item in split_list(text):
        name, settings = parse_call(item, "method")
        takes = inspect.signature(member(load(ROOM, name), "explainer", ROOM)).parameters
        own = {key: value for key, value in shared.items() if key in takes and key not in settings}
        used |= set(own)
        if item in found:
            raise InputError("a method stands twice", at="method", value=item, fix="give it once")
        found[item] = make_explainer(name, **settings, **own)
    unused = sorted(set(shared) - used)
    if unused or not found:
        raise InputError(f"none of the methods takes {unused[0]}" if unused else "no method given", at=unused[0] if unused else "method", value=text,
                         fix=f"leave {unused[0]} out" if unused else "see `vidi list explainers`")  # fmt: skip
    return found

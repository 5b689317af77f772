"""The parts of a detector by name or path: ``backbone=efficientnet(variant=lite0) neck=fpn(width=128) head=./mine.py``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vidi.core.calls import parse_call
from vidi.core.discovery import load, member, names
from vidi.core.space import Space
from vidi.errors import RecipeError, nearest
from vidi.nets.blocks.backbone import Backbone
from vidi.nets.dense._base import DenseHead
from vidi.nets.necks._base import Neck

OWN = "boxes"


def create_backbone(text: str, in_channels: int = 3, **defaults: Any) -> Backbone:
    """A backbone of ``nets`` (or a file with a function `backbone`), spelled ``name(key=value, …)``.

    Args:
        text: name or path, with settings.
        in_channels: channels of the pictures.
        **defaults: settings where the text gives none; None, and those that the backbone does not have, are left out.

    Raises:
        ChoiceError: no such net, or it has no backbone.
        RecipeError: settings the backbone does not have.
    """
    name, settings = parse_call(text, "backbone")
    maker = member(load("nets", name), "backbone", "nets")
    return _made(maker, "backbone", text, settings, {"in_channels": in_channels, **defaults})


def create_neck(text: str, channels: Sequence[int], strides: Sequence[int], **defaults: Any) -> Neck:
    """A neck of ``nets/necks`` (or a file with a function `neck`) on a backbone's maps.

    Args:
        text: ``name(key=value, …)``.
        channels, strides: the backbone's.
        **defaults: settings where the text gives none; those that the neck does not have, and None, are left out.

    Raises:
        ChoiceError: no such neck.
        RecipeError: settings the neck does not have.
    """
    name, settings = parse_call(text, "neck")
    maker = member(load("nets/necks", name), "neck", "nets/necks")
    return _made(maker, "neck", text, settings, defaults, channels, strides)


def create_dense(
    text: str,
    own: str,
    channels: Sequence[int],
    strides: Sequence[int],
    space: Space,
    options: Mapping[str, Any] | None = None,
    **defaults: Any,
) -> DenseHead:
    """A dense head of ``nets/dense`` (or a file with a function `head`) on a neck's maps.

    Args:
        text: ``boxes`` (the net's own head), a name, or a path, with settings like ``name(key=value)``.
        own: the dense head that ``boxes`` means.
        channels, strides: the neck's.
        space: what the labels mean.
        options: settings of the head.
        **defaults: settings for the own head; those that are not None or False go to any head and must be among its settings.

    Raises:
        RecipeError: not a dense head, or settings it does not have.
    """
    name, settings = parse_call(text, "head")
    known = names("nets/dense")
    if name == OWN:
        name = own
    elif name not in known and not name.endswith(".py") and "/" not in name:
        raise RecipeError(
            "this net finds boxes, with its own head or another dense one", at="head", value=name,
            fix=f"{OWN}; one of: {', '.join(known)}; or the path of a .py file",
        )  # fmt: skip
    maker = member(load("nets/dense", name), "head", "nets/dense")
    given = {**settings, **(options or {})}
    if name != own:
        given = {key: value for key, value in defaults.items() if value not in (None, False)} | given
    return _made(maker, "head", text, given, defaults if name == own else {}, channels, strides, space)


def check_own(head: str, what: str) -> None:
    """Refuse a head for a net that has its own only.

    Raises:
        RecipeError: `head` is not ``boxes``.
    """
    if head != OWN:
        raise RecipeError(f"this net {what}, with a head of its own", at="head", value=head, fix=OWN)


def _made(
    maker: Callable[..., Any], what: str, text: str, settings: Mapping[str, Any], defaults: Mapping[str, Any], *arguments: Any
) -> Any:
    """Call a maker with the settings it has; unknown ones that the user gave are refused by name."""
    parameters = inspect.signature(maker).parameters.values()
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for key in settings:
        if key not in known and not anything:
            close = nearest(key, known)
            fix = f"did you mean {', '.join(close)}?" if close else f"one of: {', '.join(known) or 'none'}"
            raise RecipeError(f"this {what} has no such setting", at=what, value=f"{key} in {text}", fix=fix)
    usual = {key: value for key, value in defaults.items() if value is not None and (anything or key in known)}
    chosen = {**usual, **settings}
    width = chosen.get("width")
    if isinstance(width, (int, float)) and width <= 0:
        raise RecipeError("a width is positive", at="width", value=width)
    return maker(*arguments, **chosen)

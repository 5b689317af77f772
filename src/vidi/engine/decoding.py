"""Settings of how a net's raw outputs become things: score and overlap limits, doubles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from vidi.core.net import Net
from vidi.errors import RecipeError
from vidi.ops.nms import METHODS

ATTRIBUTES = {"conf": "conf", "iou": "nms_iou", "max_det": "max_det", "nms": "nms"}
"""Setting → the attribute of nets that have it."""


@contextlib.contextmanager
def decoding(net: Net, **settings: Any) -> Iterator[None]:
    """The net with other settings for the length of a block; None leaves one as it is.

    Args:
        net: with the attributes of `ATTRIBUTES`, or some of them.
        settings: ``conf`` 0..1, smallest score; ``iou`` 0..1, overlap above which the lesser of two boxes goes; ``max_det``, most things
            per picture (or tile); ``nms``: hard, soft or none.

    Raises:
        RecipeError: the net has no such setting, or the value is out of range.
    """
    wanted = {key: value for key, value in settings.items() if value is not None}
    for key, value in wanted.items():
        _check(net, key, value)
    before = {ATTRIBUTES[key]: getattr(net, ATTRIBUTES[key]) for key in wanted}
    try:
        for key, value in wanted.items():
            setattr(net, ATTRIBUTES[key], value)
        yield
    finally:
        for name, value in before.items():
            setattr(net, name, value)


def _check(net: Net, key: str, value: Any) -> None:
    has = [name for name, attribute in ATTRIBUTES.items() if hasattr(net, attribute)]
    if key not in has:
        raise RecipeError("the net has no such setting", at=key, value=value, fix=f"it has {', '.join(has)}" if has else "its labels need none; leave it out")
    if key in ("conf", "iou") and not 0 <= value <= 1:
        raise RecipeError("a share lies in 0..1", at=key, value=value)
    if key == "max_det" and value < 1:
        raise RecipeError("at least one thing per picture", at=key, value=value)
    if key == "nms" and value not in METHODS:
        raise RecipeError("no such way with doubles", at=key, value=value, fix=f"one of {', '.join(METHODS)}")

"""How rows are trained: long enough that a behavior shows, short enough for a coffee break."""

from __future__ import annotations

from typing import Any

from vidi.core.calls import parse_call

COUNT = 320
RECIPE: dict[str, Any] = {"epochs": 10, "batch": 32, "lr": 5e-3, "val_every": 1000, "precision": "fp32", "threads": 1, "device": "cpu", "verbose": False}
"""What every row is trained with, where `TASKS` says nothing else; tasks that are not in there need nothing."""

_SCENES: dict[str, Any] = {"count": 200, "batch": 16, "epochs": 8}
TASKS: dict[str, dict[str, Any]] = {
    "detect": _SCENES, "track": _SCENES | {"count": 240}, "instance": _SCENES, "semantic": {"count": 120, "batch": 8, "epochs": 8},
}  # fmt: skip

_MAPS = {"backbone": "small(widths=[8, 16, 32])"}
_THINGS = {"backbone": "small(widths=[8, 16, 32])", "width": 16}
NETS: dict[str, dict[str, Any]] = {
    "small": {"widths": [16, 32]}, "resnet": {"stem": "small", "width": 8}, "vgg": {"width": 8}, "densenet": {"stem": "small", "growth": 8, "blocks": [2, 2, 2]},
    "mobilenet": {"stem": "small", "width": 0.25}, "csp": {"width": 0.125},
    "unet": _MAPS, "fcn": _MAPS | {"width": 16}, "deeplab": _MAPS | {"width": 16}, "lraspp": _MAPS | {"width": 16},
    "yolo": _THINGS | {"neck": "fpn"}, "fcos": _THINGS, "retinanet": _THINGS, "ssd": {"backbone": _THINGS["backbone"]}, "faster_rcnn": _THINGS, "mask_rcnn": _THINGS,
}  # fmt: skip
"""Small settings of nets that come large; others are taken as they are."""

HEADS: dict[str, dict[str, Any]] = {"boxes": {"cls": 2.0}, "masks": {"cls": 2.0, "finest": 2, "prototypes": 8}}
"""Settings of the heads of the default nets for things on toy pictures."""


def count_of(task: str) -> int:
    """How many toy samples a task gets."""
    return TASKS.get(task, {}).get("count", COUNT)


def recipe_of(task: str) -> dict[str, Any]:
    """How a task is trained."""
    return RECIPE | {key: value for key, value in TASKS.get(task, {}).items() if key != "count"}


def net_of(text: str, head: str) -> tuple[str, dict[str, Any]]:
    """A net's name or path, and its settings: those given, else small ones."""
    name, given = parse_call(text, "nets")
    if given:
        return name, given
    options = dict(NETS.get(name, {}))
    if name == "yolo" and head in HEADS:
        options["head_options"] = HEADS[head]
    return name, options

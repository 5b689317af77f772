"""Boxes with classes around the things on a picture."""

from __future__ import annotations

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Detections
from vidi.tasks import _toy


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Up to three bright shapes on dim ground, 64×64 pixels: plates (wide), posts (tall) and frames (hollow squares); some pictures are empty."""
    pictures, scenes = _toy.scenes(count, seed)
    labels = [Detections(boxes, None, classes) for boxes, classes, _ in scenes]  # type: ignore[arg-type]
    return _toy.dataset(pictures, labels, Space("Detections", _toy.SHAPES), "scenes")


task = Task(
    family="Detections",
    head="boxes",
    net=lambda size: "yolo",
    metrics=("box_ap", "box_f1", "box_curves", "box_buckets", "box_errors", "box_confusion"),
    watch=("box_ap",),
    primary="box_ap",
    augment=("hflip", "scale_jitter(low=0.6, high=1.5)", "brightness", "contrast", "saturation", "mosaic(p=0.5)"),
    whole=True,
    recipe={"batch": 16, "lr": 1e-3, "clip": 10.0, "ema": 0.99, "close_mix": 0.15},
    toy=toy,
    meaning="boxes with classes around the things on a picture",
    demo=("digit-scenes", {
        "imgsz": 96, "epochs": 36, "lr": 3e-3, "head_options": {"cls": 2.0},
        "augment": ["scale_jitter(low=0.7, high=1.4)", "brightness", "contrast", "mosaic(p=0.3)"],
    }),  # fmt: skip
)

"""The outline of every thing on a picture, with its class."""

from __future__ import annotations

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Detections, Outline
from vidi.tasks import _toy


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """The shapes of the detection toy with their outlines; frames are hollow."""
    pictures, scenes = _toy.scenes(count, seed)
    labels = [
        Detections(boxes, np.ones(len(boxes), np.float32), classes, outlines=tuple(Outline.of(mask) for mask in masks))
        for boxes, classes, masks in scenes
    ]
    return _toy.dataset(pictures, labels, Space("Detections", _toy.SHAPES), "outlines")


task = Task(
    family="Detections",
    head="masks",
    net=lambda size: "yolo",
    metrics=("mask_ap", "boundary_ap", "panoptic", "box_ap", "box_f1", "box_curves", "box_confusion"),
    watch=("mask_ap",),
    primary="mask_ap",
    augment=("hflip", "scale_jitter(low=0.6, high=1.5)", "brightness", "contrast", "saturation", "mosaic(p=0.5)"),
    whole=True,
    recipe={"batch": 16, "lr": 1e-3, "clip": 10.0, "ema": 0.99, "close_mix": 0.15},
    toy=toy,
    meaning="the outline of every thing on a picture, with its class",
    demo=("digit-scenes", {
        "imgsz": 96, "epochs": 30, "lr": 3e-3, "head_options": {"cls": 2.0, "finest": 2},
        "augment": ["scale_jitter(low=0.7, high=1.4)", "brightness", "contrast", "mosaic(p=0.3)"],
    }),  # fmt: skip
)

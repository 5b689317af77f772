"""Boxes with classes around the things on a picture."""

from __future__ import annotations

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Detections
from vidi.tasks import _toy

SIDE = 64
THINGS = 3


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Up to three bright shapes on dim ground, 64×64 pixels: plates (wide), posts (tall) and frames (hollow squares); some pictures are empty."""
    generator = np.random.default_rng(seed)
    pictures = generator.uniform(0.1, 0.35, (count, 1, 1, 3)) + generator.normal(0, 0.03, (count, SIDE, SIDE, 3))
    labels = [_scene(picture, generator) for picture in pictures]
    return _toy.dataset(pictures, labels, Space("Detections", ("plate", "post", "frame")), "scenes")


def _scene(picture: np.ndarray, generator: np.random.Generator) -> Detections:
    """Paint a scene into (SIDE, SIDE, 3) and give its truth."""
    taken = np.zeros((SIDE, SIDE), bool)
    boxes, classes = [], []
    for _ in range(int(generator.integers(0, THINGS + 1))):
        kind = int(generator.integers(3))
        long, short = int(generator.integers(18, 28)), int(generator.integers(8, 13))
        wide, tall = ((long, short), (short, long), (long, long))[kind]
        x, y = int(generator.integers(0, SIDE - wide)), int(generator.integers(0, SIDE - tall))
        box = (x, y, x + wide, y + tall)
        if taken[y : y + tall, x : x + wide].any():
            continue
        taken[y : y + tall, x : x + wide] = True
        mask = _toy.place(box, SIDE)
        if kind == 2:
            mask &= ~_toy.place((x + 4, y + 4, x + wide - 4, y + tall - 4), SIDE)
        picture[mask] = generator.uniform(0.6, 1.0, 3)
        boxes.append(box)
        classes.append(kind)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), None, np.array(classes, np.int64))  # type: ignore[arg-type]


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

"""Things with identities through a video: a detector, whose boxes a tracker joins (`vidi track`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Detections
from vidi.tasks import _toy

FRAMES = 6
SPLITS = ("train", "train", "val", "test")


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Videos of six frames in which the shapes of the detection toy drift over dim ground."""
    generator = np.random.default_rng(seed)
    samples: list[Sample] = []
    for video in range(-(-count // FRAMES)):
        samples += _video(video, generator)
    return Dataset(samples[:count], Space("Detections", _toy.SHAPES), name="streets", format="toy")


def _video(number: int, generator: np.random.Generator) -> list[Sample]:
    pictures, scenes = _toy.scenes(1, int(generator.integers(1 << 31)))
    boxes, classes, masks = scenes[0]
    colors, drifts = generator.uniform(0.6, 1.0, (len(boxes), 3)), generator.integers(-2, 3, (len(boxes), 2))
    covered: np.ndarray = np.logical_or.reduce(masks, axis=0)
    ground = np.where(covered[..., None], np.median(pictures[0], (0, 1)), pictures[0])
    samples = []
    for frame in range(FRAMES):
        picture, moved = ground + generator.normal(0, 0.02, ground.shape), boxes.copy()
        for i, (dx, dy) in enumerate(drifts * frame):
            picture[_shifted(masks[i], int(dx), int(dy))] = colors[i]
            moved[i] += np.array([dx, dy, dx, dy])
        pixels = (picture.clip(0, 1) * 255).round().astype(np.uint8)
        truth = Detections(moved, None, classes, tracks=np.arange(1, len(boxes) + 1))  # type: ignore[arg-type]
        truth = replace(truth, boxes=moved.clip(0, _toy.SCENE))
        name = f"streets-{number:03d}"
        samples.append(Sample(f"{name}#{frame:06d}", {"image": pixels}, truth, SPLITS[number % 4], name, None, {"frame": frame, "seconds": frame / 10}))
    return samples


def _shifted(mask: np.ndarray, dx: int, dy: int) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    rows, columns = rows + dy, columns + dx
    inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    moved = np.zeros_like(mask)
    moved[rows[inside], columns[inside]] = True
    return moved


task = Task(
    family="Detections",
    head="boxes",
    net=lambda size: "yolo",
    metrics=("box_ap", "box_f1", "box_curves", "box_errors"),
    watch=("box_ap",),
    primary="box_ap",
    augment=("hflip", "scale_jitter(low=0.6, high=1.5)", "brightness", "contrast", "saturation", "mosaic(p=0.5)"),
    whole=True,
    recipe={"batch": 16, "lr": 1e-3, "clip": 10.0, "ema": 0.99, "close_mix": 0.15},
    toy=toy,
    meaning="things with identities through a video",
    demo=("digit-streets", {
        "imgsz": [96, 160], "epochs": 24, "lr": 3e-3, "head_options": {"cls": 2.0}, "val": 0.0,
        "augment": ["scale_jitter(low=0.7, high=1.4)", "brightness", "contrast", "mosaic(p=0.3)"],
    }),  # fmt: skip
)

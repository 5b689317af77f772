"""A class for every pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vidi.core.dataset import Dataset, Sample
from vidi.core.images import decode, picture_size
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Detections, Segmentation
from vidi.tasks import _toy

GROUND = "background"


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """The shapes of the detection toy, pixel by pixel; what is no shape is background."""
    pictures, scenes = _toy.scenes(count, seed)
    labels = []
    for _, classes, masks in scenes:
        painted = np.zeros(pictures.shape[1:3], np.int32)
        for kind, mask in zip(classes, masks):
            painted[mask] = kind + 1
        labels.append(Segmentation(painted))
    return _toy.dataset(pictures, labels, Space("Segmentation", (GROUND, *_toy.SHAPES)), "maps")


def maps(dataset: Dataset) -> Dataset:
    """Outlined things as class maps: the largest are painted first, what is no thing is ``background``, and regions that are marked as
    crowds are not known. Things without an outline count with their box; data in which none has one is given back as it is."""
    if dataset.space is None or dataset.space.family != "Detections" or not any(_outlined(sample) for sample in dataset):
        return dataset
    space = dataset.space
    ids = tuple(range(len(space) + 1)) if not space.ids or min(space.ids) < 1 else (0, *space.ids)
    names = (GROUND, *(name if name != GROUND else f"{name} thing" for name in space.names))
    made = dataset.with_samples(replace(sample, label=_painted(sample), extra={}) for sample in dataset)
    made.space = Space("Segmentation", names, ids=ids)
    made.notes.append("outlines were painted as class maps, smaller things over larger ones; the rest is background")
    return made


def _outlined(sample: Sample) -> bool:
    label = sample.label
    return isinstance(label, Detections) and (label.masks is not None or any(outline is not None for outline in label.outlines or ()))


def _painted(sample: Sample) -> Segmentation | None:
    if not isinstance(sample.label, Detections):
        return None
    picture = sample.inputs["image"]
    size = picture_size(picture) if isinstance(picture, Path) else decode(picture, name=sample.id).shape[:2]
    painted = np.zeros(size, np.int32)
    bits = sample.label.bitmaps((size[0], size[1]))
    crowd = np.zeros(len(bits), bool) if sample.label.crowd is None else sample.label.crowd
    for i in np.lexsort((-bits.sum((1, 2)), ~crowd)):
        painted[bits[i]] = 255 if crowd[i] else int(sample.label.classes[i]) + 1
    return Segmentation(painted).packed()


task = Task(
    family="Segmentation",
    head="pixels",
    net=lambda size: "unet",
    metrics=("miou", "dice", "pixel_accuracy", "boundary_f1", "hd95", "regions"),
    watch=("miou",),
    primary="miou",
    augment=("hflip", "scale_jitter(low=0.7, high=1.5)", "rotate(degrees=10)", "brightness", "contrast", "saturation"),
    whole=True,
    recipe={"batch": 8, "lr": 1e-3, "clip": 10.0, "ema": 0.99},
    toy=toy,
    adapt=maps,
    meaning="a class for every pixel",
    demo=("digit-scenes", {
        "imgsz": 96, "epochs": 14, "batch": 16, "lr": 3e-3, "backbone": "csp", "augment": ["scale_jitter(low=0.8, high=1.25)", "brightness", "contrast"],
    }),  # fmt: skip
)

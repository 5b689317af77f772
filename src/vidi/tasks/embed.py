"""Pictures as points that lie near each other where the pictures are of one class or identity (`vidi train CROPS --task embed`)."""

from __future__ import annotations

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Classification
from vidi.tasks import _toy

CLOTHES = ("red", "green", "blue", "white", "yellow", "violet")
COLORS = np.array([[0.9, 0.2, 0.2], [0.2, 0.8, 0.3], [0.25, 0.35, 0.95], [0.95, 0.95, 0.95], [0.9, 0.8, 0.2], [0.6, 0.3, 0.8]])
PEOPLE = tuple((top, bottom) for top in range(len(CLOTHES)) for bottom in range(len(CLOTHES)) if top != bottom)
SPLITS = ("train", "train", "val", "test")


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Up to thirty small people under lights of all colors, told apart by what they wear above and below. Those of validation and test are not met in training."""
    pictures, generator = _toy.canvas(count, seed)
    people, labels = max(len(SPLITS), min(len(PEOPLE), count // 4)), []
    for i, picture in enumerate(pictures):
        person = i % people
        wide, tall = int(generator.integers(5, 9)), int(generator.integers(12, 19))
        x, y = int(generator.integers(0, _toy.SIDE - wide)), int(generator.integers(0, _toy.SIDE - tall))
        light = generator.uniform(0.75, 1.0)
        for part, kind in enumerate(PEOPLE[person]):
            half = y + part * (tall // 2)
            picture[half : half + tall // 2, x : x + wide] = light * COLORS[kind] + generator.normal(0, 0.03, (tall // 2, wide, 3))
        picture *= generator.uniform(0.35, 1.0, 3)
        labels.append(Classification.one_hot(person, len(PEOPLE)))
    names = tuple(f"{CLOTHES[top]} over {CLOTHES[bottom]}" for top, bottom in PEOPLE)
    data = _toy.dataset(pictures, labels, Space("Classification", names), "people")
    for i, sample in enumerate(data):
        sample.split = SPLITS[i % people % len(SPLITS)]
    return data


task = Task(
    family="Classification",
    head="embedding",
    net=lambda size: "small" if max(size) <= 64 else "resnet",
    metrics=("retrieval",),
    primary="map_at_r",
    augment=("hflip", "translate(share=0.05)", "brightness", "contrast", "saturation", "erasing"),
    columns="class",
    whole=True,
    recipe={"batch": 64, "per_class": 4, "split_by": "class", "lr": 1e-3},
    toy=toy,
    meaning="pictures as points, near each other where they are of one class or identity",
    demo=("digits", {"imgsz": 16, "widths": [32, 64, 128], "epochs": 12, "test": 0.2, "augment": ["rotate(degrees=10)", "translate(share=0.06)"]}),
)

"""Any number of classes at once for the whole picture."""

from __future__ import annotations

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Classification
from vidi.tasks import _toy


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Pictures holding a disc, a square, a cross, several of them or none."""
    pictures, generator = _toy.canvas(count, seed)
    labels = []
    for i in range(count):
        present = generator.random(3) < 0.45
        for mask in [make(generator) for make, on in zip((lambda g: _toy.disc(g)[0], _toy.square, _toy.cross), present) if on]:
            pictures[i][mask] = generator.uniform(0.6, 1.0, 3)
        labels.append(Classification(present.astype(np.float32)))
    return _toy.dataset(pictures, labels, Space("Classification", ("disc", "square", "cross"), exclusive=False), "several-shapes")


task = Task(
    family="Classification",
    exclusive=False,
    head="sigmoid",
    net=lambda size: "small" if max(size) <= 64 else "resnet",
    metrics=("average_precision", "f1", "roc_auc", "multilabel", "ece", "thresholds"),
    primary="map",
    augment=("hflip", "crop(pad=0.125)"),
    columns="classes",
    toy=toy,
    meaning="any number of classes per picture",
)

"""Numbers read off the whole picture."""

from __future__ import annotations

import numpy as np

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Regression
from vidi.tasks import _toy


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Discs; the value is the share of the picture they cover, in percent."""
    pictures, generator = _toy.canvas(count, seed)
    labels = []
    for i in range(count):
        mask, share = _toy.disc(generator, (2, 10))
        pictures[i][mask] = generator.uniform(0.6, 1.0, 3)
        labels.append(Regression(np.array([100 * share], np.float32)))
    return _toy.dataset(pictures, labels, Space("Regression", ("area",)), "disc-area")


task = Task(
    family="Regression",
    head="regression",
    net=lambda size: "small" if max(size) <= 64 else "resnet",
    metrics=("mae", "rmse", "r2", "residuals"),
    primary="mae",
    higher_is_better=False,
    augment=("hflip",),
    columns="numbers",
    toy=toy,
    meaning="one or more numbers per picture",
)

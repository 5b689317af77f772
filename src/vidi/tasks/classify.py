"""One class out of several for the whole picture."""

from __future__ import annotations

from vidi.core.dataset import Dataset
from vidi.core.space import Space
from vidi.core.task import Task
from vidi.labels import Classification
from vidi.tasks import _toy


def toy(count: int = 200, seed: int = 0) -> Dataset:
    """Discs, squares and crosses."""
    pictures, generator = _toy.canvas(count, seed)
    labels = []
    for i in range(count):
        kind = int(generator.integers(3))
        mask = (_toy.disc(generator)[0], _toy.square(generator), _toy.cross(generator))[kind]
        pictures[i][mask] = generator.uniform(0.6, 1.0, 3)
        labels.append(Classification.one_hot(kind, 3))
    return _toy.dataset(pictures, labels, Space("Classification", ("disc", "square", "cross")), "shapes")


task = Task(
    family="Classification",
    exclusive=True,
    head="softmax",
    net=lambda size: "small" if max(size) <= 64 else "resnet",
    metrics=("accuracy", "top5", "f1", "roc_auc", "ece", "confusion"),
    primary="accuracy",
    augment=("hflip", "crop(pad=0.125)"),
    columns="class",
    toy=toy,
    meaning="one class per picture",
    demo=("digits", {"imgsz": 16, "widths": [32, 64, 128], "epochs": 12, "batch": 32, "test": 0.2, "augment": ["rotate(degrees=10)", "translate(share=0.06)"]}),
)

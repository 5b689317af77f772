"""Drops or mud on the lens, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from vidi.augmentations.spatter import Spatter
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "weather"
MEANING = "drops of water (severity 1 to 3) or mud (4, 5) on the lens"
REMEDY = ("spatter(p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(Spatter)

"""Frost on the lens, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from vidi.augmentations.frost import Frost
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "weather"
MEANING = "frost on the lens"
REMEDY = ("frost(high=3, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(Frost)

"""Falling snow, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from vidi.augmentations.snow import Snow
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "weather"
MEANING = "falling snow, and a whitened picture"
REMEDY = ("snow(high=3, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(Snow)

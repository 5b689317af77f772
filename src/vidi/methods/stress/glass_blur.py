"""Frosted glass, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from vidi.augmentations.glass_blur import GlassBlur
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "blur"
MEANING = "seen through frosted glass"
REMEDY = ("glass_blur(high=3, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(GlassBlur)

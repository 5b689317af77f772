"""Out of focus, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from vidi.augmentations.defocus_blur import DefocusBlur
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "blur"
MEANING = "out of focus by an even disk"
REMEDY = ("defocus_blur(high=3, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(DefocusBlur)

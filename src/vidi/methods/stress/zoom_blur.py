"""Coming nearer, with the strengths of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from vidi.augmentations.zoom_blur import ZoomBlur
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "blur"
MEANING = "came nearer while the shutter was open"
REMEDY = ("zoom_blur(high=3, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(ZoomBlur)

"""Rain, of our own strengths."""

from __future__ import annotations

from vidi.augmentations.rain import Rain
from vidi.core.augmentation import Augmentation
from vidi.methods.stress._levels import severities

FAMILY = "weather"
MEANING = "streaks of rain, and a grayed picture"
REMEDY = ("rain(high=3, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return severities(Rain)

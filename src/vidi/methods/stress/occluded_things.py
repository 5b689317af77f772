"""A part of each thing is hidden."""

from __future__ import annotations

from vidi.augmentations.hide_things import HideThings
from vidi.core.augmentation import Augmentation

FAMILY = "occlusion"
MEANING = "natural texture over 10, 25, 40, 60 and 80 % of each thing's box"
REMEDY = ("hide_things(low=0.1, high=0.6, p=0.3)",)


def levels() -> tuple[Augmentation, ...]:
    return tuple(HideThings(p=1.0, low=share, high=share) for share in (0.1, 0.25, 0.4, 0.6, 0.8))

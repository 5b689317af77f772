"""When tracks begin and end, and which settings of trackers make sense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidi.errors import RecipeError
from vidi.methods.track._gallery import Appearance
from vidi.ops.kalman import FORMS, BoxFilter


@dataclass(frozen=True, slots=True)
class Life:
    """When tracks begin and end.

    Args:
        keep: seconds a track is followed unseen.
        new: least score of a detection that begins one.
        confirm: detections after which a track counts; before, a miss ends it.
        at_once: frames at the start of the video in which a track counts from its first detection.
        patient: whether a track that does not count yet survives a miss, and begins to count anew.
        class_aware: whether a track takes detections of its own class only.
        double: overlap with a better detection of its class above which one is taken for a second box of the same thing, and not used
            (as in DeepSORT, Wojke et al. 2017, arXiv:1703.07402); 1 never.
        least: detections with a lower score are not used.
    """

    keep: float = 1.0
    new: float = 0.7
    confirm: int = 2
    at_once: int = 1
    patient: bool = False
    class_aware: bool = True
    double: float = 0.45
    least: float = 0.0


def check_settings(rate: float, life: Life, appearance: Appearance | None) -> None:
    """
    Raises:
        RecipeError: a setting out of range.
    """
    values: dict[str, tuple[float, float, float]] = {
        "rate": (rate, 1e-6, 1e6), "keep": (life.keep, 0, 1e9), "new": (life.new, 0, 1), "confirm": (life.confirm, 1, 1e6),
        "double": (life.double, 0, 1), "least": (life.least, 0, 1),
    }  # fmt: skip
    if appearance is not None:
        values |= {"appearance": (appearance.gate, 0, 1), "near": (appearance.near, 0, 1), "weight": (appearance.weight, 0, 100),
                   "veto": (appearance.veto, 0, 1), "average": (appearance.average, 0, 1), "remember": (appearance.remember, 0, 1e9),
                   "recall": (appearance.recall, 0, 1)}  # fmt: skip
    for name, (value, low, high) in values.items():
        check_range(name, value, low, high)


def box_filter(form: str, velocity: float, rate: float) -> BoxFilter:
    """A filter whose velocities wander as much in a second at any frame rate: per frame, random walks of an acceleration grow with the
    power 1.5 of the time between frames.

    Args:
        velocity: standard deviation of a velocity's change, as a share of the size, per frame of a video of 30 frames per second.
    """
    check_range("rate", rate, 1e-6, 1e6)
    check_range("velocity", velocity, 0, 10)
    if form not in FORMS:
        raise RecipeError(f"one of {', '.join(FORMS)}", at="tracker: form", value=form)
    return BoxFilter(form, velocity=velocity * (30 / rate) ** 1.5)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """
    Raises:
        RecipeError: the value of a tracker's setting is not within low..high.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not low <= value <= high:
        raise RecipeError(f"a number in {low:g}..{high:g}", at=f"tracker: {name}", value=value)
